import process from 'node:process';

/**
 * What CI adds to a run of the tests: a test that was skipped or is still to be written fails the run, but for those that need what
 * `SINTER_WITHOUT` names (test/needs.ts); so does a run with a name pattern that no test has.
 */
export default class {
  constructor(config) {
    this.config = config;
  }
  onRunComplete(_, results) {
    if (['', 'false', '0', undefined].includes(process.env.CI)) return;
    const without = (process.env.SINTER_WITHOUT ?? '').split(',').filter(s => s !== '');
    const skipped = results.testResults
      .flatMap(file => file.testResults)
      .filter(t => t.status === 'todo' || (t.status === 'pending' && this.config.testNamePattern === undefined))
      .map(t => t.fullName);
    const allowed = name => without.some(w => name.includes(`(needs `) && name.includes(w));
    const wrong = skipped.filter(name => !allowed(name));
    const excused = skipped.filter(allowed);
    if (excused.length > 0) process.stderr.write(`Not run here, because of SINTER_WITHOUT:\n${list(excused)}`);
    if (wrong.length > 0) this.error = new Error(`CI is set, and these tests did not run:\n${list(wrong)}`);
    else if (results.numPassedTests + results.numFailedTests === 0) this.error = new Error('CI is set, and no test ran');
  }
  getLastError() {
    return this.error;
  }
}
const list = names => names.map(n => `  ${n}\n`).join('');
