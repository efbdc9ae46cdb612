import { concernKind } from './concern-kinds.ts';
import type { ConcernName, concernKinds } from './concern-kinds.ts';
import type { SealiftError } from './error.ts';
import type { Concern } from './survey.ts';

/** The names of one severity: what a function below says of a concern is what the table says. */
type Named<Severity> = {
  [Name in ConcernName]: (typeof concernKinds)[Name]['severity'] extends Severity ? Name : never;
}[ConcernName];

/** Stops a move before anything is changed. The remedy is the table's unless a more exact one is given. */
export function refusal(name: Named<'refuses'>, text: string, remedy?: string): Concern {
  return concern(name, text, remedy);
}

/** Asked about where a person is. */
export function warning(name: Named<'warns'>, text: string, remedy?: string): Concern {
  return concern(name, text, remedy);
}

/** Only good to know. */
export function note(name: Named<'note'>, text: string): Concern {
  return concern(name, text);
}

/** As grave as the table says. */
export function concern(name: ConcernName, text: string, remedy?: string): Concern {
  const kind = concernKind(name);
  return { name, severity: kind.severity, text, remedy: remedy ?? kind.remedy ?? null };
}

/** A question that failed refuses the move under the error's own type. */
export function failedQuestion({ type, message, hint }: SealiftError): Concern {
  return { name: type, severity: 'refuses', text: message, remedy: hint ?? null };
}
