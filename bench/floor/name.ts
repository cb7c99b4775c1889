/** By which the floor's connections are told from the product's. */
export const FLOOR = 'hospital-bench-floor';
