import type { ModelInfo } from '../bundle/about.ts';
import type { ModuleReport } from '../options.ts';
import type { Instrumentation } from '../program/instrumentation.ts';
import type { ProgramPass } from '../program/passes/pass.ts';
import type { MemoryPlan, Program } from '../program/program.ts';
import type { Profile, ProfileData } from '../target/profile.ts';

/** What code is made from. */
export interface EmitInput {
  readonly program: Program;
  readonly plan: MemoryPlan;
  readonly profile: Profile;
  /** The name of the model's file, for comments. */
  readonly file: string;
  /** Weights up to this many bytes are put inside the code. */
  readonly embedBelow: number;
  /** Whether numbers too small for full precision may count as zero during a run: FTZ and DAZ. */
  readonly flushDenormals: boolean;
  /** For measurements: the code tells a clock when these steps end. */
  readonly instrumentation?: Instrumentation;
}
/** A program as code for one profile. `Artifact` is what the back end made of it, which nothing else looks into. */
export interface CompiledModule<Artifact = unknown> {
  readonly profile: Profile;
  readonly program: Program;
  readonly plan: MemoryPlan;
  readonly report: ModuleReport;
  readonly artifact: Artifact;
}
/**
 * A language that programs become. `index.ts` lists those that there are; to add one is a folder beside this file and a line there.
 * A profile carries its back end: what comes before emission asks what its code can do, never for its name.
 */
export interface BackEnd<Artifact = unknown> {
  /** What a profile calls it in `emit`. */
  readonly name: string;
  /** What people call it. */
  readonly title: string;
  /** The fields of a profile that it alone reads. */
  readonly fields: readonly (keyof ProfileData)[];
  /** What weights up to `memory.embedBelow` are put inside of. */
  readonly embedsIn: string;
  /** Where inputs and outputs lie: in the memory of the module (`module`), or wherever the caller has them (`caller`). */
  readonly io: 'module' | 'caller';
  /** Whether vectors of 8-bit and 16-bit integers are loaded as wide ones, and stored. */
  readonly narrowVectors: boolean;
  /** Whether code runs once before the first run, so that weights are stored as the model has them and transformed there. */
  prepares(profile: ProfileData): boolean;
  /** Whether several threads may share the work of a run. */
  readonly threads: boolean;
  /** Rows of two vectors whose sums of dot products the compiler behind keeps in this many vector registers. */
  dotRows(registers: number): number;
  /** Calls `bad` with what in a profile it has no code for. */
  check(profile: ProfileData, bad: (why: string) => never): void;
  /** What happens to every kernel before it is emitted, in order. */
  readonly kernelPasses: readonly ProgramPass[];
  emit(input: EmitInput): Promise<CompiledModule<Artifact>>;
  /** The ending of a file with the code as text. */
  readonly ending: string;
  /** The code as text, for people. */
  text(artifact: Artifact): string;
  /** Of the modules of a bundle, best first, those that are worth their place. */
  distinct(modules: readonly CompiledModule<Artifact>[]): readonly CompiledModule<Artifact>[];
  /** The files of a bundle by name. Modules are the same model, best first. The same input gives the same bytes. */
  bundle(modules: readonly CompiledModule<Artifact>[], info: ModelInfo): Promise<Map<string, Uint8Array>>;
}
