/** Redoc over this server's contract, in a browser. */
import { at } from './root.js';

const isDark = document.documentElement.classList.contains('dark-mode');
const shade = isDark
  ? { ground: '#14181d', raised: '#1f252c', text: '#e4e7eb', accent: '#5fd3a8', fault: '#ff9a8d', line: '#3e4c59' }
  : { ground: '#ffffff', raised: '#f4f6f8', text: '#1f2933', accent: '#0b6e4f', fault: '#b42318', line: '#cbd2d9' };
const contract = await (await fetch(at('/reference/openapi.json'))).json();
const main = document.getElementById('reference');
Redoc.init(
  contract,
  {
    // Its search runs in a worker of a blob, which the page's policy has no room for; browsers find in a page.
    disableSearch: true,
    hideDownloadButton: true,
    hideLogo: true,
    nativeScrollbars: true,
    requiredPropsFirst: true,
    theme: {
      colors: {
        primary: { main: shade.accent },
        success: { main: shade.accent },
        error: { main: shade.fault },
        text: { primary: shade.text, secondary: shade.text },
        border: { dark: shade.line, light: shade.line },
        http: {
          get: '#1d5fa8',
          post: '#0b6e4f',
          put: '#8a4b08',
          patch: '#8a4b08',
          delete: '#b42318',
        },
        responses: {
          success: { color: shade.accent, backgroundColor: shade.raised },
          redirect: { color: shade.text, backgroundColor: shade.raised },
          error: { color: shade.fault, backgroundColor: shade.raised },
        },
      },
      schema: {
        nestedBackground: shade.raised,
        typeNameColor: shade.text,
        typeTitleColor: shade.text,
        requireLabelColor: shade.fault,
      },
      sidebar: { backgroundColor: shade.raised, textColor: shade.text },
      rightPanel: { backgroundColor: '#11151a' },
      codeBlock: { backgroundColor: '#1b2128' },
      typography: {
        fontFamily: 'sans-serif',
        headings: { fontFamily: 'sans-serif' },
        code: { color: shade.text, backgroundColor: shade.raised, wrap: true },
        links: { color: shade.accent, visited: shade.accent, hover: shade.accent },
      },
    },
  },
  main,
);
// What may have to be scrolled is reached with the keyboard.
const reach = () => main.querySelectorAll('pre').forEach((text) => (text.tabIndex = 0));
new MutationObserver(reach).observe(main, { childList: true, subtree: true });
// Its colours are set once.
document.getElementById('theme').addEventListener('click', () => location.reload());
