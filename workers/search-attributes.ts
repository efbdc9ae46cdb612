import type { Connection } from '@temporalio/client';
import { searchKeys } from '../workflows/search-attributes.ts';

type Key = (typeof searchKeys)[keyof typeof searchKeys];

/** The names by which Temporal's commands call the types. */
const commandNames: Record<Key['type'], string> = { KEYWORD: 'Keyword', INT: 'Int' };

export function typeName(key: Key): string {
  return commandNames[key.type];
}

/** Search attributes of Sealift that the namespace does not know. */
export async function missingSearchAttributes(
  connection: Pick<Connection, 'operatorService'>,
  namespace: string,
): Promise<Key[]> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  return Object.values(searchKeys).filter((key) => !Object.hasOwn(customAttributes, key.name));
}
