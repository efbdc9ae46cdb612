import { parse, stringify, TomlError } from 'smol-toml';
import { z } from 'zod';
import { SealiftError } from './error.ts';
import { hostName, identity, poolName, siteName } from './names.ts';

const port = z.int().min(0).max(65_535);
const folder = z.string().startsWith('/', 'must be an absolute path');
const address = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^-\s][^\s]*$/, 'not an address');

const user = z.string().regex(/^[a-z_][a-z0-9_-]*$/, 'not a user name');
/** An SSH server's public host key as in known_hosts: `ssh-ed25519 AAAA…`. */
const hostKey = z.string().regex(/^ssh-[a-z0-9-]+ [A-Za-z0-9+/=]+$/, 'not a public key');

/** An SSH server that takes containers for `staged`, and the folder that it takes them in. */
export const containerServer = z.strictObject({
  folder,
  address,
  port,
  user,
  host_key: hostKey,
});
export type ContainerServer = z.infer<typeof containerServer>;

/** What an IPsec tunnel may be made of, in strongSwan's words; the first is what Sealift's own sealing is. */
export const espProposal = z.enum(['aes256gcm16', 'aes128gcm16', 'aes256-sha256']);
export type EspProposal = z.infer<typeof espProposal>;

/** An iSCSI target: its name and one portal, `address:port`. */
export const iscsiTarget = z.strictObject({
  name: z
    .string()
    .max(223)
    .regex(/^(iqn|eui|naa)\.[A-Za-z0-9._:-]+$/, 'not the name of an iSCSI target'),
  portal: z.string().regex(/^([a-z0-9][a-z0-9.-]*|\[[0-9a-f:.]+\]):\d{1,5}$/, 'not a portal (ADDRESS:PORT)'),
});
export type IscsiTarget = z.infer<typeof iscsiTarget>;

const lvmName = z.string().regex(/^[A-Za-z0-9+_.][A-Za-z0-9+_.-]{0,62}$/, 'not a name of LVM');
/** Where a host keeps the disks that land on it. */
export const pool = z.discriminatedUnion('kind', [
  /** It has to be there: a pool whose file system is not mounted must not fill the one below. */
  z.strictObject({ name: poolName, kind: z.literal('folder'), path: folder }),
  /** A volume group of LVM; `thin`: the thin pool within that gives the space. */
  z.strictObject({ name: poolName, kind: z.literal('lvm'), group: lvmName, thin: lvmName.optional() }),
]);
export type Pool = z.infer<typeof pool>;

/** A host's file, `host.toml`: who the host is, where its Xen and its disks are, and whom it trusts. Paths are absolute. */
const fields = z.strictObject({
  name: hostName,
  site: siteName,
  /** Folder of the host's identity, database and run keys; 0700. */
  state: folder,
  /**
   * What a raw file's fence is made of: `immutable` is `chattr +i`; `permissions` clears write bits, and is refused unless
   * `xen.confined` says that domains cannot override them.
   */
  fence: z.enum(['immutable', 'permissions']).default('immutable'),
  xen: z
    .strictObject({
      xl: z.string().default('xl'),
      etc: folder.default('/etc/xen'),
      save: folder.default('/var/lib/xen/save'),
      /** Has an entry for each network interface of dom0, bridges among them. */
      net: folder.default('/sys/class/net'),
      /** Where xenconsoled logs the consoles of guests, when it does. */
      consoles: folder.default('/var/log/xen/console'),
      /** Domains have no right to override file permissions: the stand-in's. Never so on real Xen, whose backends run as root. */
      confined: z.boolean().default(false),
      /** Every `xl` command is given up after this many seconds; shutting down has its own limit. */
      limit_seconds: z.number().positive().default(30),
      default_bridge: z.string().optional(),
      /** Foreign bridge name to the one of this host. */
      bridges: z.record(z.string(), z.string()).default({}),
      /** Foreign dom0 path (kernel, ramdisk, firmware) to the one of this host. */
      paths: z.record(z.string(), z.string()).default({}),
      /** What the guests of other hosts may have run in this dom0, by the exact text of the setting. */
      allow: z
        .strictObject({
          bootloaders: z.array(z.string()).default([]),
          vif_scripts: z.array(z.string()).default([]),
        })
        .prefault({}),
    })
    .prefault({}),
  /** How the worker reaches the dom0: it runs there, or beside it and enters by SSH, by key only. */
  dom0: z
    .discriminatedUnion('access', [
      z.strictObject({ access: z.literal('local') }),
      z.strictObject({
        access: z.literal('ssh'),
        address,
        port: port.default(22),
        /** `root`, or a user who may do everything by `sudo -n`. */
        user,
        host_key: hostKey,
        private_key: folder,
        /** A folder of dom0 for the images of guests' memory; made when it is not there. */
        folder: folder.default('/var/lib/sealift'),
      }),
    ])
    .prefault({ access: 'local' }),
  landing: z.strictObject({
    /** What other hosts are told to connect to. */
    address,
    port,
    /** The address to listen on; `address` itself unless the host is behind address translation. */
    listen: address.optional(),
  }),
  pool: z.array(pool).min(1),
  /** Targets whose disks other hosts reach too: a VM that lies on them comes here without a byte crossing. */
  iscsi: z.array(iscsiTarget).default([]),
  limits: z
    .strictObject({
      /** Upper limit of one transfer in megabits per second. */
      rate_mbps: z.number().positive().optional(),
      /** Moves that may run at once, either side; a further one waits before its VM is stopped. */
      moves: z.int().min(1).max(16).default(2),
      /** A transfer that nobody asks for any more stops after this many seconds. */
      orphan_seconds: z.number().positive().default(300),
      /** A stream without any progress is given up after this many seconds. */
      stall_seconds: z.number().positive().default(20),
      /** A transfer fails, to be tried again, after this many seconds without one live stream. */
      connect_seconds: z.number().positive().default(60),
    })
    .prefault({}),
  /** `tunnel`: the control socket of this machine's strongSwan, and what its ESP is to be; both hosts of a move need the same. */
  tunnel: z
    .strictObject({ vici: folder.default('/run/charon.vici'), esp: espProposal.default('aes256gcm16') })
    .prefault({}),
  /** `staged` at its destination: the folder containers arrive in, and the SSH server in front of it. */
  staging: containerServer.optional(),
  /** `staged` at its source: the folder containers are made in, and the private key it logs in with. */
  ssh: z.strictObject({ folder, private_key: folder }).optional(),
  /** Commands that a migration may ask for by name to probe a started VM; `{vm}` stands for its name. */
  probe: z.record(z.string(), z.array(z.string()).min(1)).default({}),
  /** Whom the host trusts; `ssh` is where containers for a peer go, pinned here: nobody else is asked. */
  peer: z.array(z.strictObject({ name: hostName, identity, ssh: containerServer.optional() })).default([]),
  /** The people whose signed word counts when another host is gone for good: `sealift deed claim`. */
  operator: z.array(z.strictObject({ name: z.string().min(1).max(100), identity })).default([]),
});
export type HostFile = z.infer<typeof fields>;

/** What no field can tell by itself. */
export const hostFile = fields.refine(({ fence, xen }) => fence === 'immutable' || xen.confined, {
  path: ['fence'],
  message: '"permissions" stops nobody where domains run as root: only a stand-in host (xen.confined = true) has it',
});

/** Reads the text of a host's file; `name` stands in errors. Throws `bad-config` with the line or the field. */
export function parseHostFile(text: string, name: string): HostFile {
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (error) {
    if (error instanceof TomlError) {
      throw new SealiftError('bad-config', `${name}:${error.line}:${error.column}: not TOML`, { cause: error });
    }
    throw error;
  }
  const parsed = hostFile.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new SealiftError('bad-config', `${name}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'does not fit'}`);
}

/** The text of a host's file. */
export function printHostFile(file: HostFile): string {
  return `${stringify(file)}\n`;
}
