import tseslint from 'typescript-eslint'

export default tseslint.config(
  {
    ignores: [
      '**/dist/**',
      '**/build/**',
      '**/node_modules/**',
      '**/.cache/**',
      '**/prebuilds/**',
      'test/.examples-*/**'
    ]
  },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      'no-console': 'error',
      'max-len': ['error', { code: 120, ignoreUrls: true, ignoreTemplateLiterals: true, ignoreStrings: true }],
      'max-lines-per-function': ['error', { max: 70, skipComments: true, skipBlankLines: true }],
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: false } }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/require-await': 'off',
      'no-restricted-syntax': [
        'error',
        { selector: 'TSEnumDeclaration', message: 'Use an `as const` object and a type of the same name.' },
        { selector: 'TSModuleDeclaration[kind="namespace"]', message: 'Use modules.' },
        { selector: 'ExportAllDeclaration', message: 'List what is exported.' }
      ]
    }
  },
  {
    files: ['**/test/**/*.ts', '**/bench/**/*.ts', '**/vitest.config.ts'],
    languageOptions: { parserOptions: { projectService: false, project: './tsconfig.tests.json' } }
  },
  {
    files: ['**/test/**/*.ts', '**/bench/**/*.ts', 'packages/testkit/src/compliance/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      '@typescript-eslint/unbound-method': 'off',
      // The asymmetric matchers of vitest (expect.objectContaining and so on) have type any.
      '@typescript-eslint/no-unsafe-assignment': 'off'
    }
  },
  { files: ['**/*.mjs'], ...tseslint.configs.disableTypeChecked },
  {
    files: ['scripts/**/*.mjs', 'packages/*/scripts/**/*.mjs', 'packages/cli/src/**/*.ts', 'bench/**/*.ts'],
    rules: { 'no-console': 'off' }
  }
)
