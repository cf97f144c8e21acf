"""Style and script of ``curation.html``."""

from __future__ import annotations

STYLE = """
:root{--ink:#1d2430;--dim:#667085;--line:#d7dce3;--page:#fafbfc;--field:#fff;--good:#1a7f5a;--bad:#b4442f}
@media(prefers-color-scheme:dark){:root{
--ink:#e6e9ee;--dim:#97a1b0;--line:#333b47;--page:#14181e;--field:#1b2028;--good:#43b98a;--bad:#e0725c}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:1080px;margin:0 auto;
padding:24px 20px 96px}
h1{font-size:28px;margin:0}h2{font-size:17px;margin:28px 0 8px}h2 small{color:var(--dim);font-weight:400}
.sum{font-size:18px;margin:4px 0 14px}.note{color:var(--dim);font-size:13px;margin:6px 0}
.two{display:flex;flex-wrap:wrap;gap:0 40px}.two>div:last-child{flex:1 1 260px}.two ul{margin:0;padding-left:18px}
table.why{border-collapse:collapse;font-size:14px}table.why td{padding:2px 14px 2px 0;vertical-align:middle}
td.n{text-align:right;font-variant-numeric:tabular-nums}
td i{display:block;height:9px;background:var(--bad);min-width:2px;border-radius:2px}
table.why td:nth-child(3){width:280px}
.poses text{font-size:11px;fill:var(--dim)}.field{fill:var(--field);stroke:var(--line)}.grid{stroke:var(--line);stroke-width:1}
rect.kept{fill:var(--good)}rect.dropped{fill:none;stroke:var(--bad);stroke-opacity:.7}
.faces{display:flex;flex-wrap:wrap;gap:4px}figure{margin:0;width:72px;cursor:pointer;border:2px solid transparent;border-radius:5px}
figure img{display:block;border-radius:3px}figcaption{font-size:11px;color:var(--dim);text-align:center}
.out img{opacity:.8}figure.changed{border-color:var(--good)}.in figure.changed{border-color:var(--bad)}
figure:focus-visible{outline:2px solid var(--ink)}
#bar{position:fixed;left:0;right:0;bottom:0;display:none;gap:12px;align-items:center;padding:10px 20px;background:var(--field);
border-top:1px solid var(--line)}#bar.on{display:flex}#bar code{overflow-x:auto;white-space:nowrap;flex:1}
"""

SCRIPT = """
const bar=document.getElementById('bar'),code=bar.querySelector('code');
const ids=where=>[...document.querySelectorAll(where+' figure.changed')].map(f=>f.dataset.id);
const quote=t=>/^[\\w.\\/-]+$/.test(t)?t:"'"+t.replaceAll("'","'\\\\''")+"'";
function show(){const keep=ids('.out'),drop=ids('.in');bar.classList.toggle('on',keep.length+drop.length>0);
const flag=(name,ids)=>ids.length?` --${name} ${ids.join(' ')}`:'';
code.textContent='bianlian curate '+quote(bar.dataset.folder)+flag('keep',keep)+flag('drop',drop);}
for(const f of document.querySelectorAll('figure')){const turn=()=>{f.classList.toggle('changed');show();};
f.addEventListener('click',turn);f.addEventListener('keydown',e=>{if(e.key===' '||e.key==='Enter'){e.preventDefault();turn();}});}
bar.querySelector('button').addEventListener('click',()=>navigator.clipboard.writeText(code.textContent));
"""
