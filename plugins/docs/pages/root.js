/** The address of something of this server's, also where a proxy has taken a prefix off the paths. */
export const at = (path) => new URL(`../..${path}`, import.meta.url).pathname;
