'use strict';

/* What the oracle tests share: TAP, and build/unit/dump on a pipe. */

const { spawnSync } = require('child_process');

const dump = process.env.CORR_DUMP || 'build/unit/dump';

let count = 0;
let failed = 0;

function ok(passed, name) {
    count++;
    failed += passed ? 0 : 1;
    console.log(`${passed ? '' : 'not '}ok ${count} - ${name}`);
    return passed;
}

/* One test of many cases: all[i] is [got, expected, what]. */

function all(name, cases) {
    const bad = cases.filter(([got, expected]) => got !== expected);

    ok(cases.length > 0 && bad.length === 0, `${name}: ${cases.length} cases`);

    for (const [got, expected, what] of bad.slice(0, 5)) {
        console.log(`#   ${what}\n#   got:      ${JSON.stringify(got)}`
                    + `\n#   expected: ${JSON.stringify(expected)}`);
    }
}

function run(args, input) {
    const r = spawnSync(dump, args, { input, maxBuffer: 1 << 30 });

    if (r.error || r.status !== 0) {
        console.log(`Bail out! ${dump} ${args.join(' ')}: `
                    + `${r.error || r.status} ${r.stderr}`);
        process.exit(1);
    }

    return r.stdout.toString();
}

const bytes = (s) => Buffer.isBuffer(s) ? s : Buffer.from(s);
const hex = (s) => 'x' + bytes(s).toString('hex');
const unhex = (s) => s === '-' ? null : Buffer.from(s.slice(1), 'hex');

/* Asks for each string; answers { rc, words } in order. */

function ask(args, strings) {
    const lines = run(args, strings.map((s) => hex(s) + '\n').join(''))
                  .split('\n');

    return strings.map((s, i) => {
        const words = lines[i].split(' ');
        return { rc: Number(words[0]), words: words.slice(1) };
    });
}

/* A seeded generator: a failure can be had again. */

function random(seed) {
    let a = seed >>> 0;

    return (n) => {
        a = (a + 0x6d2b79f5) >>> 0;
        let t = Math.imul(a ^ (a >>> 15), 1 | a);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) % n;
    };
}

const pick = (rnd, list) => list[rnd(list.length)];

function done() {
    console.log(`1..${count}`);
    process.exitCode = failed ? 1 : 0;
}

module.exports = { ok, all, run, ask, hex, unhex, random, pick, done };
