/** Gives names to the controls that Swagger UI leaves without one, for those who can not see what stands beside them. */

const ICONS = { '.close-modal': 'Close', '.copy-to-clipboard > button': 'Copy' };

function nameControls(root) {
  for (const [selector, name] of Object.entries(ICONS)) {
    for (const button of root.querySelectorAll(selector)) button.setAttribute('aria-label', name);
  }
  for (const field of root.querySelectorAll('.opblock :is(input, select, textarea)')) {
    if (field.labels.length > 0 || field.ariaLabel !== null) continue;
    const name = field.closest('tr')?.querySelector('.parameter__name')?.firstChild?.textContent;
    field.setAttribute('aria-label', name ?? 'Request body');
  }
  const filter = root.querySelector('.operation-filter-input');
  if (filter !== null) {
    // Its own says "by tag".
    filter.placeholder = 'Find operations by words, such as: book, picture, login';
    filter.setAttribute('aria-label', 'Find operations');
  }
  // What may have to be scrolled is reached with the keyboard.
  for (const text of root.querySelectorAll('pre.microlight')) text.tabIndex = 0;
  // Their own names are not what can be read on them.
  for (const button of root.querySelectorAll('.auth-btn-wrapper button[aria-label]')) {
    button.removeAttribute('aria-label');
  }
}

export function keepNamed(root) {
  nameControls(root);
  new MutationObserver(() => nameControls(root)).observe(root, { childList: true, subtree: true });
}
