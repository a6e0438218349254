import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { CompileError } from '../core/diagnostic.ts';
import { quoteShell } from '../core/quote.ts';
import { VERSION } from '../core/version.data.ts';
import { TREE_OUTPUTS } from '../import/shared/trees.ts';
import { OPTIMIZE, TREE_STRATEGIES } from '../ops/lowering.ts';
import { PHASES } from '../options.ts';
import { benchCommand } from './bench.ts';
import { DEFAULTS as BENCH } from '../../bench/engine/bench.ts';
import { PEER_NAMES } from '../../bench/peers/index.ts';
import { compileCommand } from './compile.ts';
import { inspectCommand } from './inspect.ts';
import { optCommand } from './opt.ts';
import { quantizeCommand } from './quantize.ts';
import { PARTS, regressCommand, type Part } from './regress.ts';
import { runBundleCommand } from './run.ts';
import { runServing, SERVING } from './serving.ts';
import { targetsCommand } from './targets.ts';
import { CACHE_FILE, SECONDS } from '../tune/tune.ts';
import { UsageError, type ExitCode, type Terminal } from './terminal.ts';
import { AGAINST } from '../reference/reference.ts';
import { DEFAULTS } from '../verify/verify.ts';
import { verifyCommand } from './verify.ts';
import { TFLITE_ROUNDINGS } from '../import/importer.ts';
import { FORMATS } from '../import/index.ts';
import { DEFAULT_PERCENTILE } from '../quantize/calibrators.ts';
import { DEFAULT_METHOD } from '../quantize/quantize.ts';
import { METRICS } from '../quantize/search.ts';
import { METHODS, ROUNDINGS, SCHEMES } from '../quantize/scheme.ts';

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];
const atLeast =
  (lo: number, whole: boolean) =>
  (value: string): number => {
    const n = Number(value);
    if (value.trim() === '' || !(n >= lo) || (whole && !Number.isInteger(n)))
      throw new InvalidArgumentError(`must be a ${whole ? 'whole ' : ''}number of ${lo} or more.`);
    return n;
  };

function parseParts(value: string): Part[] {
  return value.split(',').map(word => {
    const part = PARTS.find(p => p === word.trim());
    if (part === undefined) throw new InvalidArgumentError(`must be some of ${PARTS.join(', ')}.`);
    return part;
  });
}
const REGRESS_HELP = `
Exit codes: 0 nothing is worse, 3 something is, 2 wrong usage. A suite lists models, what to run them on, targets and peers:

  { "targets": ["wasm-simd"], "against": ["onnxruntime-web"],
    "models": [{ "name": "mine", "model": "mine.onnx", "dims": { "batch": 1, "seq": "8..256" },
                 "runs": [{ "inputs": "real.npz" }, { "sizes": { "ids": [1, 128] } }] }] }

Paths are relative to the suite. A run takes inputs from a file (.npz, .npy, .json, .csv) or makes them; "expected": { "file": "y.npy", "by":
"PyTorch 2.8" } gives the answers of the model's own framework. Without that, answers are compared with the model in float64, which is the same
on every machine, and with onnxruntime-node where it is installed. Accuracy and size may not get worse at all.

Speed (--only speed) is compared as ratios to the peers, and to a loop of arithmetic where the processor and the engine are the same; a ratio is
worse where the ranges that the noise of both measurements gives do not meet.

In your CI:  sinter regress --suite suite.json --baseline baseline.json
and once, and whenever a change is meant, with --update; the baseline is a text file to be reviewed with the change.
`;

/** What commands that import a model take. */
const modelFlags = (c: Command): Command =>
  c
    .option('-d, --dim <name=n|a..b|a..b:step>', 'the size of a free dimension, or its range', collect, [])
    .option(
      '--shape <input=axbxc>',
      'the sizes of a whole input, or their ranges: x=1x3x48x160..320; ? leaves an axis as it is',
      collect,
      [],
    )
    .option(
      '--outputs-at <name>',
      'cut the model: what this node gives, or this value, is an output; may be given several times',
      collect,
      [],
    )
    .option('--inputs-at <name>', 'cut the model: what this node gives, or this value, is an input', collect, [])
    .option('--signature <name>', 'the function to compile of a SavedModel or a TensorFlow Lite file that has several')
    .option('--input-names <list>', 'the nodes that are the inputs of a frozen graph of TensorFlow, in order')
    .option('--iterations <a..b>', 'boosting rounds to use of XGBoost and LightGBM models, counted from 0')
    .option('--outputs <list>', `outputs of XGBoost and LightGBM models besides prediction: ${TREE_OUTPUTS.join(',')}`)
    .addOption(
      new Option('--tflite-rounding <name>', 'how integers of TensorFlow Lite models are rounded (default: xnnpack)').choices(
        TFLITE_ROUNDINGS,
      ),
    )
    .addOption(new Option('--format <name>', 'what the model is (default: told from its bytes)').choices(FORMATS));
/** What commands that quantize a model take. */
const quantizeFlags = (c: Command): Command =>
  c
    .option(
      '--calibrate <data>',
      'inputs to find ranges with: a file .npz, .npy, .csv, .json or .jsonl, a folder of such, of pictures or of .wav, or random[:SEED]',
    )
    .option(
      '--image <options>',
      'how pictures become inputs: "size=48x192 scale=1/255 mean=0.5 std=0.5 layout=nchw order=bgr fit=contain"',
    )
    .option('--audio <options>', 'how sounds become inputs: "rate=16000 length=512 hop=512 scale=1"')
    .option('-i, --input <name=value>', 'an input that is the same in all samples: a file, zeros or a number', collect, [])
    .option('--samples <n>', 'at most so many samples', atLeast(1, true))
    .addOption(new Option('--method <name>', `how ranges are found (default: ${DEFAULT_METHOD})`).choices(METHODS))
    .option('--percentile <p>', `what --method percentile keeps, in percent (default: ${DEFAULT_PERCENTILE})`, atLeast(50, false))
    .option('--asymmetric', 'w4: each block of weights has a zero point of its own')
    .addOption(
      new Option('--rounding <how>', 'w4: for the least error on the calibration data (default), or to the nearest').choices(
        ROUNDINGS,
      ),
    )
    .option('--per-tensor', 'one scale for all weights of a node, instead of one for each channel')
    .option('--no-bias-correction', 'leave the mean errors of nodes as they are')
    .option(
      '--smooth <alpha>',
      'the alpha of SmoothQuant for the inputs of products (default: the best for each of them)',
      atLeast(0, false),
    )
    .option('--no-smooth', 'leave the inputs of products as they are')
    .option(
      '--max-drop <x>',
      'the most that may be lost: as many nodes as need be get more bits, or stay in floats (default for w4: 0.01)',
      atLeast(0, false),
    )
    .addOption(
      new Option(
        '--metric <name>',
        'what --max-drop is of: the relative error of the worst output, 1 - its cosine, or the share of arg-max that change (default: error; for w4 cosine)',
      ).choices(METRICS),
    )
    .option(
      '--max-size <bytes>',
      'the most that weights may take: the most sensitive nodes that fit stay in floats',
      atLeast(1, true),
    )
    .option('--sensitivity', 'measure what each node alone does to the outputs')
    .option('--html <file>', 'write a report as one page that needs nothing else')
    .option('--report <file>', 'write the report as JSON')
    .option('--exclude <name>', 'a node, or an operator, that stays in floats; may be given several times', collect, []);

/** Runs the command that the arguments name, and gives the code to exit with. Never throws. */
export async function runCommand(argv: readonly string[], t: Terminal): Promise<ExitCode> {
  let code: ExitCode = 0;
  const program = new Command('sinter')
    .description('Compiles a trained model, ahead of time, into a small program for one target.')
    .version(VERSION)
    .exitOverride()
    .configureOutput({ writeOut: text => t.out(text), writeErr: text => t.err(text) })
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true });
  const command = (spec: string, description: string): Command =>
    program.command(spec).description(description).showHelpAfterError('(see --help)');

  quantizeFlags(modelFlags(command('compile <model>', 'compile a model to a bundle')))
    .option('-t, --target <name|file.json>', 'what to compile for; may be given several times (default: wasm-simd)', collect, [])
    .option('-o, --out <dir>', "the bundle's folder; a folder in it for each of several targets (default: the model's name)")
    .addOption(new Option('--tree-strategy <name>', 'how trees become code (default: auto)').choices(TREE_STRATEGIES))
    .addOption(
      new Option(
        '--optimize <what>',
        'store weights as small as the model has them, or ready for the first run (default: size)',
      ).choices(OPTIMIZE),
    )
    .option('--threads <n>', 'how many threads may share the work of a run (default: as the target says)', atLeast(1, true))
    .option(
      '--tune [seconds]',
      `measure here how the heaviest steps are computed best, for at most so long (default: ${SECONDS})`,
      atLeast(0, false),
    )
    .option(
      '--tune-cache <file>',
      `what was measured: with the same file, the same bundles (default, with --tune: ${CACHE_FILE})`,
    )
    .option('--tuned-on <processor>', 'take from the file what was measured on this processor: a part of its name')
    .option('--name <id>', "the model's name (default: the file's)")
    .option('--embed-below <bytes>', 'put weights up to this size inside the module', atLeast(0, true))
    .option('--quantization <file>', 'quantize as this plan of `sinter quantize` says')
    .addOption(
      new Option(
        '--quantize <scheme>',
        'make a plan and quantize by it, with --calibrate and the other flags of `sinter quantize`',
      ).choices(SCHEMES),
    )
    .option('--labels <file>', 'names of the classes, one a line, to put into the bundle')
    .option('--verify', 'compare the bundle with the original before it is put in place')
    .option('--dump <dir>', 'write every stage as text')
    .addOption(new Option('--stop-after <phase>', 'end after a phase').choices(PHASES))
    .option('--print-after <pass>', 'print the graph after a pass', collect, [])
    .option('--time-passes', 'print the time of each pass')
    .option('--verify-ir', 'check the graph after each pass')
    .option('--json [file]', 'give the report as JSON: to standard output, or to a file')
    .action(async (model: string, o: Parameters<typeof compileCommand>[1]) => {
      code = await compileCommand(model, o, t);
    });
  quantizeFlags(modelFlags(command('quantize <model>', 'find out how a model is quantized best, for `compile --quantization`')))
    .addOption(new Option('--scheme <name>', 'how nodes are quantized').choices(SCHEMES).default('int8'))
    .option('-o, --out <file>', "where the plan goes (default: the model's name with .quant.json)")
    .addOption(
      new Option('--emit <format>', 'write the model with QuantizeLinear and DequantizeLinear as well, beside the plan').choices([
        'onnx',
      ]),
    )
    .option('--json [file]', 'give the plan as JSON: to standard output, or to a file')
    .action((model: string, o: Parameters<typeof quantizeCommand>[1]) => quantizeCommand(model, o, t));
  command('inspect <model>', 'tell what a model is made of, and whether it is supported')
    .option('--json [file]', 'give it as JSON: to standard output, or to a file')
    .option('--html <file>', 'draw the graph')
    .addOption(new Option('--format <name>', 'what the model is (default: told from its bytes)').choices(FORMATS))
    .action((model: string, o: Parameters<typeof inspectCommand>[1]) => inspectCommand(model, o, t));
  command('run <bundle>', 'run a bundle and print its outputs')
    .option(
      '-i, --input <name=value>',
      'a file .npy, .npz, .json or (rows of features) .csv, or zeros, or random[:SEED]; inputs not named are random',
      collect,
      [],
    )
    .option('-o, --out <dir>', 'write the outputs as .npy files')
    .option('--threads <n>', 'at most so many threads, of those that the bundle was compiled for', atLeast(1, true))
    .addHelpText(
      'after',
      '\nFILE.kernel in place of the bundle is a kernel in text form, as --dump writes programs: the interpreter runs it (for work on the\n' +
        'compiler). --input then gives sizes (n0=12) and buffers (b0=x.npy).',
    )
    .action((bundle: string, o: Parameters<typeof runBundleCommand>[1]) => runBundleCommand(bundle, o, t));
  command('verify <bundle>', 'check a bundle against its certificate, and against the model that it was made from')
    .option('-m, --model <model>', 'the model; without it, only the files are checked')
    .addOption(
      new Option('--against <what>', 'what runs the model (default: auto, its own framework where that is installed)').choices(
        AGAINST,
      ),
    )
    .option('--inputs <file>', 'inputs as .npz, .json or (rows of features) .csv instead of random ones')
    .option('--samples <n>', `how many random inputs (default: ${DEFAULTS.samples})`, atLeast(1, true))
    .option('--seed <n>', `what they are made from (default: ${DEFAULTS.seed})`, atLeast(1, true))
    .option('--rtol <r>', `relative tolerance (default: ${DEFAULTS.rtol})`, atLeast(0, false))
    .option('--atol <a>', `absolute tolerance (default: ${DEFAULTS.atol})`, atLeast(0, false))
    .option('--threads <n>', 'at most so many threads, of those that the bundle was compiled for', atLeast(1, true))
    .option('--python <command>', 'the Python that has TensorFlow or LiteRT (default: python3)')
    .option('--per-node', 'find the first node whose value diverges')
    .option('--certify', 'put what is found into the manifest as a certificate, if the outputs agree')
    .addHelpText(
      'after',
      '\nA bundle of `sinter compile --verify` has a certificate: what it was compared with, on which samples, how far the outputs diverged,\n' +
        'and the digests of all files. Where there is one and nothing else is asked for, it is checked again: the digests before anything\n' +
        'runs, then the answers on the same samples. Exit code 3: something is worse than certified.',
    )
    .action(async (bundle: string, o: Parameters<typeof verifyCommand>[1]) => {
      code = await verifyCommand(bundle, o, t);
    });
  command('bench [model...]', 'time models or bundles against what runs them otherwise, on the same inputs and in turns')
    .option(
      '-t, --target <name|file.json>',
      'what models are compiled for; may be given several times (default: wasm-simd)',
      collect,
      [],
    )
    .option('-d, --dim <name=n|a..b|a..b:step>', 'the size of a free dimension, or its range, as for compile', collect, [])
    .option(
      '--suite <file>',
      'what a suite of models says to measure, instead of models (`sinter regress --help` tells what one is)',
    )
    .option('--filter <text>', 'only models whose name has this in it')
    .option('--against <list>', `peers: ${PEER_NAMES.join(',')} (default: all that may run such a model)`)
    .option('--size <name=n,...>', 'sizes to run free dimensions at; may be given several times, a run each', collect, [])
    .option('--batch <list>', 'sizes of the first axis to run at, such as 1,1000')
    .option('-m, --model <model>', 'the model of a bundle, for the peers')
    .option('--inputs <file>', 'inputs as .npz, .json or (rows of features) .csv instead of random ones')
    .option('--threads <n>', 'threads of each, where it has them', atLeast(1, true), BENCH.threads)
    .option('--rounds <n>', 'rounds in which everybody has a turn, in each process', atLeast(3, true), BENCH.rounds)
    .option('--seconds <n>', 'begin no further round of a run after so long, in each process', atLeast(0, false), BENCH.seconds)
    .option('--processes <n>', 'processes to measure in, one after the other', atLeast(1, true), BENCH.processes)
    .option('--cold-starts <n>', 'fresh processes of each for the time of a cold start', atLeast(0, true), BENCH.coldStarts)
    // What --cold-starts was called before; scripts may still say it.
    .addOption(new Option('--first <n>').argParser(atLeast(0, true)).hideHelp())
    .option('--seed <n>', 'what random inputs are made from', atLeast(1, true), BENCH.seed)
    .option('--python <command>', 'the Python that has XGBoost, LiteRT or TensorFlow', BENCH.python)
    .option('--browser', 'measure in Chromium, against onnxruntime-web, instead of in Node')
    .option('--profile', 'tell where the time goes, by operator, and how far each is from the limit of this machine')
    .option('--json [file]', 'give the result as JSON: to standard output, or to a file')
    .option('--html <file>', 'write a report with plots, as one page that needs nothing else')
    .action(async (models: string[], { first, ...o }: Parameters<typeof benchCommand>[1] & { readonly first?: number }) => {
      code = await benchCommand(models, first === undefined ? o : { ...o, coldStarts: first }, argv, t);
    });
  command('regress', 'measure the models of a suite, and fail where something is worse than in the baseline')
    .requiredOption('-s, --suite <file>', 'the models, as JSON')
    .requiredOption('-b, --baseline <file>', 'what they are compared with; --update makes it')
    .option('--update', 'write what is found to the baseline')
    .option('--only <parts>', `some of ${PARTS.join(',')} (default: accuracy,size)`, parseParts, ['accuracy', 'size'])
    .option('--filter <text>', 'models with this in their names')
    .option('--rounds <n>', 'of the speed: rounds in each process', atLeast(3, true), BENCH.rounds)
    .option('--seconds <n>', 'begin no further round of a run after so long, in each process', atLeast(0, false), BENCH.seconds)
    .option('--processes <n>', 'processes to measure in', atLeast(1, true), BENCH.processes)
    .addHelpText('after', REGRESS_HELP)
    .action(async (o: Parameters<typeof regressCommand>[0]) => {
      code = await regressCommand(o, t);
    });
  command('opt <file>', 'run passes over a .graph, .program or .kernel in text form (for work on the compiler)')
    .option('-p, --pass <name>', 'a pass; may be given several times', collect, [])
    .option('-t, --target <name>', 'the target that passes ask about', 'wasm-simd')
    .action((file: string, o: Parameters<typeof optCommand>[1]) => optCommand(file, o, t));
  command('targets [name]', 'list the targets, or tell what one means').action((name: string | undefined) =>
    targetsCommand(name, t),
  );

  // They are listed here; main.ts runs them without the compiler.
  for (const [name, description] of Object.entries(SERVING))
    command(`${name} [arguments...]`, description)
      .helpOption(false)
      .allowUnknownOption()
      .action(async () => {
        process.exitCode = await runServing(argv, t);
      });

  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (e) {
    return explain(e, argv, t);
  }
}

/** Tells the user what went wrong, and gives the exit code of it. */
function explain(e: unknown, argv: readonly string[], t: Terminal): ExitCode {
  if (e instanceof CommanderError) return e.exitCode === 0 ? 0 : 2;
  if (e instanceof UsageError) {
    t.err(`error: ${e.message}\n`);
    return 2;
  }
  // The loader of a bundle is not of this program's modules: it is known by its code.
  if (e instanceof CompileError || (e instanceof Error && 'code' in e && /^E\d{3}$/.test(String(e.code)))) {
    t.err(`error: ${e.message}\n`);
    if (e instanceof CompileError && e.code === 'E301' && (argv[0] === 'compile' || argv[0] === 'quantize'))
      t.err(`try: sinter ${argv.map(quoteShell).join(' ')} ${e.holes['flags'] ?? ''}\n`);
    // A target and other options are of the command, not of the model.
    return 'code' in e && (e.code === 'E401' || e.code === 'E403') ? 2 : 1;
  }
  if (e instanceof RangeError && /allocat|out of memory|Invalid (typed )?array( buffer)? length/i.test(e.message)) {
    t.err(`error: this model needs more memory than there is (${e.message})\n`);
    return 1;
  }
  const where = `${process.platform} ${process.arch}, Node ${process.version}`;
  t.err(
    `${e instanceof Error ? (e.stack ?? e.message) : String(e)}\n\n` +
      `This is a bug of Sinter, not of your model. It is reproduced with Sinter ${VERSION} (${where}) by\n` +
      `  sinter ${argv.map(quoteShell).join(' ')}\n` +
      'Please report it with these lines and the model, or a part of it that shows the bug.\n',
  );
  return 70;
}
