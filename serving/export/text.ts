import { stringify } from 'yaml';

/** Documents of one YAML file. */
export const yaml = (...documents: readonly unknown[]): string =>
  documents.map(d => stringify(d, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n');
export const json = (x: unknown): string => `${JSON.stringify(x, null, 2)}\n`;
/** A README: a title, a sentence, and sections of prose or of commands. */
export function readme(title: string, ...sections: readonly (string | { readonly commands: string })[]): string {
  const parts = sections.map(s => (typeof s === 'string' ? s : `\`\`\`sh\n${s.commands.trim()}\n\`\`\``));
  return `# ${title}\n\n${parts.join('\n\n')}\n`;
}
