/** A live process owns the data folder. */
export class EmbeddedInUse extends Error {
  override name = 'EmbeddedInUse';
  constructor(dataDir: string, pid: number) {
    super(`the database in ${dataDir} is in use by process ${pid}: stop that process, or choose another DATA_DIR`);
  }
}
