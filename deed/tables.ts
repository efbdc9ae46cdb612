import type { TableSet } from '../storage/database.ts';

/** The deed's part of the host's database. One row of `deed_record` is what the model calls a host's record of a VM. */
export const deedTables: TableSet = {
  name: 'deed',
  versions: [
    `
    CREATE TABLE deed_record (
      lineage      TEXT PRIMARY KEY,
      vm_uuid      TEXT NOT NULL,
      vm_name      TEXT NOT NULL,
      token        INTEGER NOT NULL CHECK (token >= 0),
      state        TEXT NOT NULL CHECK (state IN ('none', 'holder', 'receiving', 'ceded')),
      run_token    INTEGER NOT NULL CHECK (run_token IN (0, token, token + 1)),
      peer         TEXT,
      seen_root    TEXT CHECK (seen_root IS NULL OR run_token <> 0),
      fenced_token INTEGER NOT NULL CHECK (fenced_token IN (0, run_token)),
      made_token   INTEGER NOT NULL,
      places       TEXT,
      was_running  INTEGER,
      changed      INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX deed_record_vm ON deed_record (vm_uuid);
    CREATE INDEX deed_record_changed ON deed_record (changed);

    CREATE TABLE deed_run (
      migration_id TEXT PRIMARY KEY,
      lineage      TEXT NOT NULL REFERENCES deed_record (lineage),
      token        INTEGER NOT NULL,
      role         TEXT NOT NULL CHECK (role IN ('source', 'destination')),
      state        TEXT NOT NULL CHECK (state IN ('open', 'aborted', 'ceded', 'accepted', 'returned')),
      method       TEXT NOT NULL,
      peer         TEXT NOT NULL,
      was_running  INTEGER,
      places       TEXT,
      session      INTEGER NOT NULL,
      root         TEXT,
      released     INTEGER NOT NULL,
      collected    INTEGER NOT NULL,
      notes        TEXT NOT NULL,
      opened_at    TEXT NOT NULL,
      UNIQUE (lineage, token)
    ) STRICT;

    -- migrations aborted before their run was opened: a late open finds its name here
    CREATE TABLE deed_withdrawn (migration_id TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT;

    CREATE TABLE deed_statement (
      id        INTEGER PRIMARY KEY,
      lineage   TEXT NOT NULL,
      token     INTEGER NOT NULL,
      kind      TEXT NOT NULL,
      sender    TEXT NOT NULL,
      addressee TEXT NOT NULL,
      body      TEXT NOT NULL,
      signature TEXT NOT NULL,
      at        TEXT NOT NULL,
      UNIQUE (lineage, token, kind, sender, addressee, body)
    ) STRICT;

    CREATE TABLE deed_intent (
      id      INTEGER PRIMARY KEY AUTOINCREMENT,
      lineage TEXT NOT NULL REFERENCES deed_record (lineage),
      what    TEXT NOT NULL CHECK (what IN ('fence', 'unfence', 'start', 'stop')),
      token   INTEGER NOT NULL,
      at      TEXT NOT NULL
    ) STRICT;

    CREATE TABLE deed_log (
      id      INTEGER PRIMARY KEY,
      at      TEXT NOT NULL,
      who     TEXT NOT NULL,
      what    TEXT NOT NULL,
      lineage TEXT NOT NULL,
      detail  TEXT NOT NULL
    ) STRICT;
    `,
    `
    -- a guest may arrive with its memory
    CREATE TABLE deed_intent_2 (
      id      INTEGER PRIMARY KEY AUTOINCREMENT,
      lineage TEXT NOT NULL REFERENCES deed_record (lineage),
      what    TEXT NOT NULL CHECK (what IN ('fence', 'unfence', 'start', 'stop', 'arrive')),
      token   INTEGER NOT NULL,
      at      TEXT NOT NULL
    ) STRICT;
    INSERT INTO deed_intent_2 SELECT id, lineage, what, token, at FROM deed_intent;
    -- an id is never given twice: a process that was left behind may bear it
    DELETE FROM sqlite_sequence WHERE name = 'deed_intent_2';
    INSERT INTO sqlite_sequence (name, seq) SELECT 'deed_intent_2', seq FROM sqlite_sequence WHERE name = 'deed_intent';
    DROP TABLE deed_intent;
    ALTER TABLE deed_intent_2 RENAME TO deed_intent;
    `,
  ],
};
