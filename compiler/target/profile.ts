import type { BackEnd } from '../backend/backend.ts';

/** A profile as targets/*.json and the manifests of bundles write it. */
export interface ProfileData {
  readonly name: string;
  readonly doc: string;
  /** The name of its back end. */
  readonly emit: string;
  readonly vector: {
    /** Width of a vector register; 0: scalar code only. */
    readonly bits: 0 | 128 | 256 | 512;
    /** Whether a*b+c may be one operation: `relaxed` rounds once or twice, `fused` once. */
    readonly fma: 'none' | 'relaxed' | 'fused';
    /**
     * Dot products of small integers into i32 lanes: pairs of i16; fours of i8 by u8 or by i8. In WebAssembly the latter two are the relaxed
     * one, whose second operand engines take as they like: modules ask the engine for the one they were made for.
     */
    readonly intDot: 'none' | 'i16' | 'i8u8' | 'i8i8';
    /** Whether lanes of a vector can be chosen by those of another (`permute`): tables in registers. */
    readonly permute: boolean;
    /** Whether blocks of 8-bit integers can be multiplied at once (`mma`). */
    readonly mma: boolean;
  };
  /** How many threads may share the work of a run. */
  readonly threads: number;
  /**
   * What an index from data that lies outside of its axis does: it stops the run with a reason (`checked`), or means the nearest
   * element (`clamped`), which saves one pass over the indices. Memory is safe either way.
   */
  readonly indices: 'checked' | 'clamped';
  /** Vector registers that a micro-kernel may fill. */
  readonly registers: number;
  /** WebAssembly features beyond the first version. */
  readonly features: readonly ('bulk-memory' | 'sign-ext' | 'sat-float-to-int')[];
  readonly memory: {
    /** Alignment of slots in bytes. */
    readonly align: number;
    /** Weights up to this many bytes are put inside the module. */
    readonly embedBelow: number;
    /** Memory counts more than time: weights stay as small as they are. */
    readonly scarce: boolean;
    /** The largest arena in bytes. */
    readonly arenaLimit: number;
  };
  /** For C: the usual compiler and what it must be told. */
  readonly toolchain: {
    readonly cc: string;
    readonly flags: readonly string[];
    /** What a processor of x86 must have, in the words of `__builtin_cpu_supports`; for a library that picks at run time. */
    readonly cpu: readonly string[];
    /** What the code runs under, which says what libraries look like; `bare`: no operating system, and so no shared library. */
    readonly system: 'unix' | 'macos' | 'windows' | 'emnapi' | 'bare';
  };
  readonly cache: {
    readonly l1: number;
    readonly l2: number;
    /** Whether memory may be asked for before it is read (`prefetch`). */
    readonly prefetch: boolean;
  };
}
/** What a target can do. Code asks `profile.vector.bits` or `profile.backEnd.io`, never `profile.name` or `profile.emit`. */
export interface Profile extends ProfileData {
  readonly backEnd: BackEnd;
}
