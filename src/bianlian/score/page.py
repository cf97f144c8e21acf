"""Style of ``report.html``."""

from __future__ import annotations

STYLE = """
:root{--ink:#1d2430;--dim:#667085;--line:#d7dce3;--page:#fafbfc;--field:#fff;--good:#1a7f5a;--bad:#b4442f;--mid:#b7791f;--blue:#2f6db4}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--dim:#97a1b0;--line:#333b47;--page:#14181e;--field:#1b2028;--good:#43b98a;
--bad:#e0725c;--mid:#d9a441;--blue:#6aa5e8}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:1080px;
margin:0 auto;padding:24px 20px 64px}
h1{font-size:28px;margin:0}h2{font-size:19px;margin:32px 0 8px}h3{font-size:15px;margin:0 0 2px}
h3 b{font-variant-numeric:tabular-nums}
.note{color:var(--dim);font-size:13px;margin:4px 0}.warn{color:var(--bad);font-weight:600}
.top{display:flex;flex-wrap:wrap;gap:8px 32px;align-items:center;margin:12px 0}
.big{font-size:56px;font-weight:700;line-height:1}.big small{font-size:18px;font-weight:400;color:var(--dim)}
.parts{border-collapse:collapse;font-size:14px}.parts td{padding:2px 12px 2px 0}
.parts i{display:block;height:10px;border-radius:2px}
.parts td:nth-child(3){width:220px}.good i,i.good{background:var(--good)}
i.fair{background:var(--mid)}i.weak,i.poor{background:var(--bad)}
ul.words{padding-left:20px}
.scroll{overflow-x:auto}table.all{border-collapse:collapse;font-size:13px;white-space:nowrap}
table.all td,table.all th{padding:3px 12px 3px 0;text-align:right;font-variant-numeric:tabular-nums;
border-bottom:1px solid var(--line)}
table.all td:first-child,table.all th:first-child{text-align:left}table.all th{font-weight:600;color:var(--dim)}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:18px 28px}
.plots svg,.hist svg{width:100%;height:auto}svg.plot{background:var(--field);border:1px solid var(--line);border-radius:4px}
.plot text{font-size:11px;fill:var(--dim)}.grid{stroke:var(--line)}.ideal{stroke:var(--good);stroke-dasharray:4 3}
.mark{stroke:var(--bad);stroke-opacity:.35}.line{fill:none;stroke:var(--blue);stroke-width:1.4}
rect.output{fill:var(--blue)}rect.target{fill:var(--bad)}rect.source{fill:var(--good)}
line.middle{stroke-width:2}line.output{stroke:var(--blue)}line.target{stroke:var(--bad)}line.source{stroke:var(--good)}
.frames{display:grid;gap:14px;grid-template-columns:repeat(auto-fill,minmax(500px,1fr))}
.frames figure{margin:0}.frames figcaption{font-size:13px;margin-bottom:3px}
.strip{display:flex;flex-wrap:wrap;gap:4px}.strip div{width:160px;font-size:11px;color:var(--dim);text-align:center}
.strip img{display:block;width:160px;height:160px;border-radius:3px}
"""
