/** The look of a page, dark or light: as the reader last chose, else as the system has it. */
{
  const root = document.documentElement;
  const show = (isDark) => {
    root.classList.toggle('dark-mode', isDark);
    const button = document.getElementById('theme');
    if (button !== null) button.textContent = isDark ? 'Light mode' : 'Dark mode';
  };
  const chosen = () => localStorage.getItem('theme') ?? (matchMedia('(prefers-color-scheme: dark)').matches && 'dark');
  // Before there is a body, so that a dark page does not start with a flash.
  show(chosen() === 'dark');
  document.addEventListener('DOMContentLoaded', () => {
    show(chosen() === 'dark');
    document.getElementById('theme').addEventListener('click', () => {
      const isDark = !root.classList.contains('dark-mode');
      localStorage.setItem('theme', isDark ? 'dark' : 'light');
      show(isDark);
    });
  });
}
