/** The report's colours and layout: light or dark as the reader's system is, one column on a phone. */
export const STYLE = `
:root { color-scheme: light dark; --paper: #fbfaf8; --card: #fff; --ink: #1d2126; --soft: #646b75; --rule: #e4e1db; --ours: #c2410c; --s1: #2563a8; --s2: #0f8a6d; --s3: #8b46b5; --s4: #9a7400; --bad: #b42318; --shade: 0 1px 2px #0000000d, 0 4px 16px #0000000a; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171b; --card: #1c2026; --ink: #e7e9ec; --soft: #9aa3ae; --rule: #323840; --ours: #fb8a4c; --s1: #6cabf0; --s2: #45c8a3; --s3: #c58cf0; --s4: #d9b23c; --bad: #f97066; --shade: none; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; -webkit-text-size-adjust: 100%; }
main { max-width: 66rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.02em; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .3rem; letter-spacing: -.01em; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { margin: .3rem 0 .8rem; max-width: 46rem; } p.soft, small, figcaption, .soft { color: var(--soft); }
code { font: .875em ui-monospace, monospace; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(12.5rem, 1fr)); gap: .8rem; margin: 1.4rem 0; }
.tile, .card { background: var(--card); border: 1px solid var(--rule); border-radius: .7rem; box-shadow: var(--shade); }
.tile { padding: .9rem 1.1rem; } .tile strong { display: block; font-size: 1.9rem; line-height: 1.2; letter-spacing: -.02em; color: var(--ours); font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: .875rem; display: block; line-height: 1.35; }
.card { padding: .9rem 1.1rem; margin: .8rem 0; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .875rem; margin: .2rem 0 .6rem; }
.legend span::before { content: ''; display: inline-block; width: .65rem; height: .65rem; border-radius: 50%; background: var(--c); margin-right: .4rem; }
.s0 { --c: var(--ours); } .s1 { --c: var(--s1); } .s2 { --c: var(--s2); } .s3 { --c: var(--s3); } .s4 { --c: var(--s4); }
.plot { font-size: .875rem; } .plot .row { display: grid; grid-template-columns: minmax(9rem, 17rem) 1fr 7.5rem; gap: .9rem; align-items: center; }
.plot .row:not(.axis):hover { background: color-mix(in srgb, var(--rule) 35%, transparent); }
.name { overflow-wrap: anywhere; line-height: 1.25; padding: .16rem 0; } .name small { white-space: nowrap; font-size: .8rem; }
.value { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.track { position: relative; height: 1.55rem; min-width: 0; } .axis .track { height: 1.2rem; }
.track > * { position: absolute; } .track i { top: 0; bottom: 0; width: 1px; background: var(--rule); } .track i.line { background: var(--ink); opacity: .55; width: 2px; margin-left: -1px; }
.track span { transform: translateX(-50%); color: var(--soft); font-size: .75rem; white-space: nowrap; }
.track b { top: 50%; width: .7rem; height: .7rem; margin: -.35rem 0 0 -.35rem; border-radius: 50%; background: var(--c); }
.track u { top: 50%; height: 3px; margin-top: -1.5px; min-width: 2px; border-radius: 2px; background: var(--c); opacity: .5; }
.scroll { overflow-x: auto; margin: 0 -1.1rem; padding: 0 1.1rem; }
table { border-collapse: collapse; font-size: .875rem; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem .3rem 0; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); } th { color: var(--soft); font-weight: 500; }
th:first-child, td:first-child, .text { text-align: left; } tr:last-child td { border-bottom: 0; } td.wrap { white-space: normal; min-width: 14rem; text-align: left; color: var(--soft); overflow-wrap: anywhere; }
td .ours, .ours { color: var(--ours); font-weight: 600; } .bad { color: var(--bad); }
details > summary { cursor: pointer; color: var(--soft); font-size: .9rem; padding: .3rem 0; } details[open] > summary { margin-bottom: .3rem; }
.bar { background: color-mix(in srgb, var(--rule) 60%, transparent); border-radius: 3px; height: .55rem; width: 6rem; display: inline-block; overflow: hidden; } .bar div { background: var(--c); height: 100%; }
.roof { margin: .4rem 0 0; } .roof .area { position: relative; height: min(24rem, 75vw); margin: .4rem .4rem 1.6rem 2.4rem; border-left: 1px solid var(--rule); border-bottom: 1px solid var(--rule); }
.roof .area > * { position: absolute; } .roof .v { top: 0; bottom: 0; width: 1px; background: var(--rule); } .roof .h { left: 0; right: 0; height: 1px; background: var(--rule); }
.roof .x { top: 100%; transform: translateX(-50%); font-size: .75rem; color: var(--soft); padding-top: .15rem; } .roof .y { right: 100%; transform: translateY(-50%); font-size: .75rem; color: var(--soft); padding-right: .35rem; }
.roof svg { inset: 0; width: 100%; height: 100%; overflow: hidden; } .roof polyline { fill: none; stroke: var(--ink); stroke-width: 2; vector-effect: non-scaling-stroke; opacity: .7; }
.roof b { transform: translate(-50%, -50%); border-radius: 50%; border: 1.5px solid var(--card); opacity: .85; } .roof .arithmetic { --c: var(--ours); } .roof .memory { --c: var(--s1); } .roof b { background: var(--c); } .roof em { font-style: normal; font-weight: 600; color: var(--c); }
figcaption { font-size: .8rem; }
@media (max-width: 40rem) { main { padding: 1.4rem .9rem 3rem; } h1 { font-size: 1.5rem; } .tiles { grid-template-columns: 1fr 1fr; gap: .6rem; } .tile { padding: .7rem .8rem; } .tile strong { font-size: 1.45rem; }
.card { padding: .7rem .8rem; } .scroll { margin: 0 -.8rem; padding: 0 .8rem; } .plot .row { grid-template-columns: 1fr auto; gap: 0 .6rem; padding: .25rem 0; } .plot .row .name { grid-area: 1 / 1; } .plot .row .value { grid-area: 1 / 2; } .plot .row .track { grid-area: 2 / 1 / 3 / 3; } .plot .axis { padding: 0; } }
@media print { .card, .tile { box-shadow: none; break-inside: avoid; } }
`;
