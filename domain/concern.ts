import type { Concern } from './survey.ts';

/** Stops a move before anything is changed. */
export function refusal(name: string, text: string, remedy: string | null = null): Concern {
  return { name, severity: 'refuses', text, remedy };
}

/** Asked about where a person is. */
export function warning(name: string, text: string, remedy: string | null = null): Concern {
  return { name, severity: 'warns', text, remedy };
}

/** Only good to know. */
export function note(name: string, text: string): Concern {
  return { name, severity: 'note', text, remedy: null };
}
