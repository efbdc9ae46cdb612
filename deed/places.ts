import { z } from 'zod';
import { vdev } from '../domain/names.ts';

const path = z.string().startsWith('/').max(4096);

/** Where a VM's copy lies on its host, as it was found before the first fence: all that fence and unfence touch. */
export const fencePlaces = z.strictObject({
  /** Regular files by their real paths: a symbolic link is refused by the fence. */
  disks: z.array(z.strictObject({ vdev, path })),
  configPath: path.nullable(),
  /** What makes the host start the VM at boot: the link or file in Xen's `auto` folder. */
  autostartPath: path.nullable(),
  savedImagePath: path.nullable(),
  /** A folder of this copy's own, which the fence makes: what it moves away lies there until the unfence. */
  asideFolder: path,
});
export type FencePlaces = z.infer<typeof fencePlaces>;
