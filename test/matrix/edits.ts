/** A change of the sources as a process loads them: `old` must stand in `file` exactly once, so that it cannot rot. */
export interface Edit {
  file: string;
  old: string;
  new: string;
}

/** How an operation on a disk goes wrong: an error's code, or `LOST` for a write that is never done and reported as done. */
export const diskFaults = ['EIO', 'ENOSPC', 'LOST'] as const;
export type DiskFault = (typeof diskFaults)[number];

/** `file` and `file-sync`: of a small file that is to be durable, as a mark, a key or a configuration. */
export const diskOperations = ['read', 'write', 'sync', 'commit', 'file', 'file-sync'] as const;
export type DiskOperation = (typeof diskOperations)[number];

/**
 * What makes a host worker report where it is and wait for the director's word, and lets disks fail, and itself die, on request. Chunks are
 * committed one by one, so that there is a first, a middle and a last one.
 */
export const pointEdits: Edit[] = [
  {
    file: 'workers/host.ts',
    old: 'activities: { ...hostActivities(host) },',
    new: 'activities: globalThis.matrix.watched(hostActivities(host)),',
  },
  {
    file: 'transport/landing-commit.ts',
    old: 'const batch = this.#pending;\n      this.#pending = [];',
    new: 'const batch = this.#pending.splice(0, 1);',
  },
  {
    file: 'transport/landing-commit.ts',
    old: 'await this.#sync(batch);',
    new: `await globalThis.matrix.at('chunk', 'before', this.#journal.totals(this.#run));
        await this.#sync(batch);`,
  },
  {
    file: 'transport/landing-commit.ts',
    old: '      this.#events.onCommitted(batch, entries);',
    new: `      await globalThis.matrix.at('chunk', 'after', this.#journal.totals(this.#run));
      this.#events.onCommitted(batch, entries);`,
  },
  {
    file: 'transport/landing-run.ts',
    old: `this.#tools.store.keepManifest(this.run, bytes);
    this.#senders.stored(connection);`,
    new: `void (async () => {
      await globalThis.matrix.at('manifest', 'before');
      this.#tools.store.keepManifest(this.run, bytes);
      await globalThis.matrix.at('manifest', 'after');
      this.#senders.stored(connection);
    })();`,
  },
  {
    file: 'activities/unstage.ts',
    old: 'await disk.write(chunk.plain, chunk.index * chunkBytes, chunk.plain.length);',
    new: `await globalThis.matrix.at('chunk', 'before', host.landed.totals(run));
        await disk.write(chunk.plain, chunk.index * chunkBytes, chunk.plain.length);`,
  },
  {
    file: 'activities/unstage.ts',
    old: 'if (pending.length >= batchChunks) await commit();',
    new: `await commit();
        await globalThis.matrix.at('chunk', 'after', host.landed.totals(run));`,
  },
  {
    file: 'activities/unstage.ts',
    old: 'new LandingStore(host.state.database).keepManifest(runName(run), container.manifestBytes);',
    new: `await globalThis.matrix.at('manifest', 'before');
      new LandingStore(host.state.database).keepManifest(runName(run), container.manifestBytes);
      await globalThis.matrix.at('manifest', 'after');`,
  },
  {
    file: 'activities/transfer.ts',
    old: 'const wrapped = await wrapSessionKey(sessionKey, key.recipient);',
    new: `await globalThis.matrix.at('key', 'after', sessionKey.toString('hex'));
  const wrapped = await wrapSessionKey(sessionKey, key.recipient);`,
  },
  {
    file: 'storage/disk.ts',
    old: 'await this.#opened.handle.datasync();',
    new: `globalThis.matrix.strike('sync', this.path);
      await this.#opened.handle.datasync();`,
  },
  {
    file: 'storage/disk.ts',
    old: `      const { bytesRead } = await this.#opened.handle
        .read(into, done, askedBytes - done, atBytes + done)`,
    new: `      const { bytesRead } = await Promise.resolve()
        .then(() => globalThis.matrix.strike('read', this.path))
        .then(() => this.#opened.handle.read(into, done, askedBytes - done, atBytes + done))`,
  },
  {
    file: 'storage/disk.ts',
    old: `      const { bytesWritten } = await handle
        .write(from, done, from.length - done, atBytes + done)`,
    new: `      const { bytesWritten } = await Promise.resolve()
        .then(() => globalThis.matrix.strike('write', this.path))
        .then((lost) =>
          lost ? { bytesWritten: from.length - done } : handle.write(from, done, from.length - done, atBytes + done))`,
  },
  {
    file: 'seal/container-file.ts',
    old: "await told(file.write(bytes, written, bytes.length - written, length + written), 'writing');",
    new: `await told(Promise.resolve()
          .then(() => globalThis.matrix.strike('write', path))
          .then((lost) => lost
            ? { bytesWritten: bytes.length - written }
            : file.write(bytes, written, bytes.length - written, length + written)), 'writing');`,
  },
  {
    file: 'seal/container-file.ts',
    old: 'sync: () => synced(file.datasync()),',
    new: "sync: () => synced(Promise.resolve().then(() => globalThis.matrix.strike('sync', path)).then(() => file.datasync())),",
  },
  {
    file: 'seal/container-file.ts',
    old: 'await synced(file.sync());',
    new: "await synced(Promise.resolve().then(() => globalThis.matrix.strike('sync', path)).then(() => file.sync()));",
  },
  {
    file: 'storage/database.ts',
    old: "this.sql.exec('COMMIT');",
    new: `globalThis.matrix.strike('commit', 'host.db');
      globalThis.matrix.wear();
      this.sql.exec('COMMIT');
      globalThis.matrix.wear();`,
  },
  {
    file: 'storage/durable-file.ts',
    old: 'await handle.writeFile(text);',
    new: "globalThis.matrix.strike('file', path); await handle.writeFile(text);",
  },
  {
    file: 'storage/durable-file.ts',
    old: 'await handle.sync();',
    new: "globalThis.matrix.strike('file-sync', what); await handle.sync();",
  },
  {
    file: 'storage/durable-file.ts',
    old: 'await on.rename(fresh, path);',
    new: `globalThis.matrix.wear();
  await on.rename(fresh, path);
  globalThis.matrix.wear();`,
  },
  { file: 'deed/fence.ts', old: '// nobody watches the steps', new: 'globalThis.matrix.wear();' },
  {
    file: 'dom0/run-here.ts',
    old: 'let timer: NodeJS.Timeout | undefined;',
    new: 'globalThis.matrix.wear(); let timer;',
  },
];
