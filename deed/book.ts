import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { SealiftError } from '../domain/error.ts';
import { statementBody } from '../domain/statement.ts';
import type { Signed, StatementBody, StatementKind } from '../domain/statement.ts';
import { canonicalJson } from '../seal/canonical.ts';
import type { BodyOf } from './statement.ts';

/** A statement as the host keeps it, signed or accepted by it. */
export interface KeptStatement {
  statement: Signed;
  /** ISO 8601, this host's clock. */
  at: string;
}

const row = z.object({ body: z.string(), signature: z.string(), at: z.string() });

/** Keeps a statement; one that is there already stays as it is. */
export function keepStatement(sql: DatabaseSync, { body, signature }: Signed): void {
  sql
    .prepare(
      `INSERT OR IGNORE INTO deed_statement (lineage, token, kind, sender, addressee, body, signature, at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      body.lineage,
      body.token,
      body.kind,
      body.from,
      body.to,
      canonicalJson(body),
      signature,
      new Date().toISOString(),
    );
}

/** Keeps a statement and gives it back. */
export function kept<S extends Signed>(sql: DatabaseSync, statement: S): S {
  keepStatement(sql, statement);
  return statement;
}

/** The first statement kept of that kind, token and direction; null when there is none. */
export function findStatement<Kind extends StatementKind>(
  sql: DatabaseSync,
  of: { kind: Kind; lineage: string; token: number; from?: string; to?: string },
): Signed<BodyOf<Kind>> | null {
  const found = sql
    .prepare(
      `SELECT body, signature, at FROM deed_statement WHERE lineage = ?1 AND token = ?2 AND kind = ?3
         AND (?4 IS NULL OR sender = ?4) AND (?5 IS NULL OR addressee = ?5) ORDER BY id LIMIT 1`,
    )
    .get(of.lineage, of.token, of.kind, of.from ?? null, of.to ?? null);
  // the kind was asked for, which the compiler cannot follow through the table
  return found === undefined ? null : (statementOf(found).statement as Signed<BodyOf<Kind>>);
}

/** Whether this very statement is kept. */
export function isKept(sql: DatabaseSync, { body }: Signed): boolean {
  return (
    sql
      .prepare('SELECT 1 FROM deed_statement WHERE lineage = ? AND token = ? AND kind = ? AND body = ?')
      .get(body.lineage, body.token, body.kind, canonicalJson(body)) !== undefined
  );
}

/** All statements about a VM, in the order in which they were kept. */
export function keptStatements(sql: DatabaseSync, lineage: string): KeptStatement[] {
  return sql
    .prepare('SELECT body, signature, at FROM deed_statement WHERE lineage = ? ORDER BY id')
    .all(lineage)
    .map(statementOf);
}

function statementOf(found: unknown): KeptStatement {
  const { body, signature, at } = row.parse(found);
  return { statement: { body: bodyOf(body), signature }, at };
}

function bodyOf(text: string): StatementBody {
  const parsed = statementBody.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new SealiftError('unknown-state', 'a statement in the database does not parse', { cause: parsed.error });
}
