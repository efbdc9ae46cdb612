import { SealiftError } from '../domain/error.ts';
import { hostName, vmName } from '../domain/names.ts';

/** A VM's name or uuid as an argument. Throws `bad-usage`. */
export function vmArgument(text: string): string {
  if (vmName.safeParse(text).success) return text;
  throw new SealiftError('bad-usage', `'${text}' is no name of a VM (letters, digits and "_.+:-")`);
}

/** A host's name as an argument. Throws `bad-usage`. */
export function hostArgument(text: string): string {
  if (hostName.safeParse(text).success) return text;
  throw new SealiftError('bad-usage', `'${text}' is no name of a host (a-z, 0-9, "." and "-")`);
}
