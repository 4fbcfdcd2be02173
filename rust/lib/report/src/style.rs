//! How the page looks: one style sheet, in light and in dark, on wide screens and on those of phones.

/// The style sheet. It names no file and no address.
pub(crate) const CSS: &str = "
:root {
  color-scheme: light dark;
  --page: #fcfcfb; --text: #20262b; --soft: #5d666e; --line: #dcdfe1; --rest: #e9ebec; --link: #1f5f8b;
  --k0: #7aa6cf; --k1: #d9a066; --k2: #86b58a; --k3: #b592c4; --k4: #cf8b88; --k5: #6fb3b8; --k6: #c2b15f; --k7: #9aa3d6; --k8: #a9afb4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #16191c; --text: #dfe3e6; --soft: #98a2aa; --line: #33393e; --rest: #262b2f; --link: #8fbfe6;
    --k0: #35618a; --k1: #8a5f2c; --k2: #3f6e47; --k3: #6d4c7d; --k4: #8a4a47; --k5: #2d6b70; --k6: #756722; --k7: #4d5692; --k8: #555c62;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 67rem; padding: 1.6rem clamp(0.9rem, 3vw, 2rem) 4rem;
  background: var(--page); color: var(--text);
  font: 0.9375rem/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif;
}
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 0.4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 0 0 0.6rem; }
h3 { font-size: 0.95rem; margin: 1.5rem 0 0.5rem; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: 0.1rem 1rem; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
section { border-top: 1px solid var(--line); margin-top: 2.2rem; padding-top: 1.3rem; }
.note { color: var(--soft); margin: 0 0 0.9rem; max-width: 46rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); gap: 0.9rem 1.2rem; margin: 1.6rem 0 0; }
.facts dt { color: var(--soft); font-size: 0.8125rem; }
.facts dd { font-size: 1.25rem; line-height: 1.3; margin: 0; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; margin-top: 0.9rem; max-width: 100%; min-width: min(100%, 40rem); }
th, td { border-bottom: 1px solid var(--line); padding: 0.28rem 1rem 0.28rem 0; text-align: left; vertical-align: baseline; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--soft); font-size: 0.8125rem; font-weight: 500; white-space: nowrap; }
tbody th { font-weight: 500; }
.t { overflow-wrap: anywhere; }
.n { text-align: right; white-space: nowrap; }
details { margin-top: 0.9rem; }
summary { color: var(--link); cursor: pointer; }
svg { display: block; width: 100%; }
.scale { border-radius: 3px; height: 2.6rem; overflow: hidden; }
.scale .rest { fill: var(--rest); }
.scale .pale { fill-opacity: 0.4; }
.legend { display: flex; flex-wrap: wrap; font-size: 0.8125rem; gap: 0.1rem 1rem; margin: 0.5rem 0 0; }
.key { border-radius: 2px; display: inline-block; height: 0.7em; margin-right: 0.35em; width: 0.7em; }
.map { height: auto; }
.map.narrow { display: none; }
.map rect { stroke: var(--page); stroke-width: 1; }
.map .group > rect { fill-opacity: 0.45; }
.map text { fill: var(--text); font-size: 11px; pointer-events: none; }
.map .leaf:hover rect { stroke: var(--text); }
.k0 { fill: var(--k0); } .k1 { fill: var(--k1); } .k2 { fill: var(--k2); } .k3 { fill: var(--k3); } .k4 { fill: var(--k4); }
.k5 { fill: var(--k5); } .k6 { fill: var(--k6); } .k7 { fill: var(--k7); } .k8 { fill: var(--k8); }
@media (max-width: 719px) {
  .map.wide { display: none; }
  .map.narrow { display: block; }
  thead { display: none; }
  table, tbody { display: block; min-width: 0; }
  tr { border-bottom: 1px solid var(--line); display: flex; flex-wrap: wrap; gap: 0 0.9rem; padding: 0.35rem 0; }
  th, td { border: 0; padding: 0; }
  tbody th { flex: 1 0 100%; text-align: left; white-space: normal; }
  td { min-width: 0; }
  td:empty { display: none; }
  td::before { color: var(--soft); content: attr(data-of) '\\a0'; }
}
@media print {
  body { max-width: none; }
  .map.narrow { display: none; }
}
";
