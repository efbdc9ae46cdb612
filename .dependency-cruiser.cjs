// The import direction of DESIGN.md, "Shape":
// cli, client, workers → workflows, activities → deed, seal, transport, storage, xen → domain.

/** @type {Record<string, string[]>} What each library may import besides itself, domain/, Node and npm packages. */
const amongLibraries = {
  dom0: [],
  deed: ['dom0/', 'storage/', 'xen/', 'seal/canonical\\.ts$'],
  seal: [],
  storage: ['dom0/'],
  transport: ['dom0/', 'seal/', 'storage/'],
  xen: ['dom0/'],
};

const libraries = Object.keys(amongLibraries);

/** The folders that hold the product's own code, as one alternative. */
const all = 'activities|bench|cli|client|deed|dom0|domain|infra|seal|storage|transport|workers|workflows|xen';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'resolves', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-undeclared-package',
      comment: 'a package that is imported stands in package.json',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-development-package',
      comment: 'what is published runs without the development dependencies',
      severity: 'error',
      from: {
        path: `^(${all})/`,
        pathNot: ['^bench/(?!experiment/)', '^infra/(docs/|check\\.ts|build\\.ts|bundle\\.ts)'],
      },
      to: { dependencyTypes: ['npm-dev'] },
    },
    {
      name: 'domain-imports-nothing',
      severity: 'error',
      from: { path: '^domain/' },
      to: { path: `^(${all.replace('domain|', '')})/|(^|/)node_modules/@temporalio/` },
    },
    {
      name: 'libraries-without-temporal',
      comment: 'so that they run and are tested without a server',
      severity: 'error',
      from: { path: `^(${libraries.join('|')}|domain)/` },
      to: { path: '(^|/)node_modules/@temporalio/' },
    },
    ...libraries.map((library) => ({
      name: `${library}-imports`,
      severity: /** @type {const} */ ('error'),
      from: { path: `^${library}/` },
      to: {
        path: `^(${all})/`,
        pathNot: [`^${library}/`, '^domain/', ...(amongLibraries[library] ?? []).map((to) => `^${to}`)],
      },
    })),
    {
      name: 'workflows-imports',
      comment: 'workflows are deterministic: words, the types of activities, and what Temporal gives to workflows',
      severity: 'error',
      from: { path: '^workflows/' },
      to: {
        pathNot: [
          '^workflows/',
          '^domain/',
          '^activities/port\\.ts$',
          '(^|/)node_modules/@temporalio/(workflow|common)/',
          '(^|/)node_modules/zod/',
        ],
      },
    },
    {
      name: 'workflows-only-types-of-activities',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { path: '^activities/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'activities-imports',
      severity: 'error',
      from: { path: '^activities/' },
      to: { path: '^(bench|cli|client|infra|workers|workflows)/' },
    },
    {
      name: 'workers-imports',
      severity: 'error',
      from: { path: '^workers/' },
      to: { path: '^(bench|cli|infra)/' },
    },
    {
      name: 'client-imports',
      severity: 'error',
      from: { path: '^client/' },
      to: { path: '^(bench|cli|infra|workers)/' },
    },
    {
      name: 'cli-imports',
      comment:
        'of infra/, the command line may bring up what `sealift up` brings up; of bench/, it runs the experiment',
      severity: 'error',
      from: { path: '^cli/' },
      to: {
        path: '^(bench|infra)/',
        pathNot: ['^infra/(temporal|embedded|interruption|stand-in-host)', '^bench/experiment/index\\.ts$'],
      },
    },
    {
      name: 'nobody-imports-the-top',
      severity: 'error',
      from: { path: `^(${all.replace('cli|', '').replace('infra|', '').replace('bench|', '')})/` },
      to: { path: '^(cli|infra|test)/' },
    },
    { name: 'nobody-imports-tests', severity: 'error', from: { path: `^(${all})/` }, to: { path: '^test/' } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage|\\.sealift)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
