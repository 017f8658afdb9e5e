'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const $ = id => document.getElementById(id);
const letters = 'pfhc~wisde';
const bad = 'fhc~e';
const ran = 'pfhc~wi';
const shapes = {p: '✓', f: 'F', h: 'H', c: 'C', '~': '~', w: 'w', i: 'i', s: '–', d: 'd', e: 'E', x: '×', ' ': ''};
const classes = {'~': 'k', ' ': 'n'};
const shortLevels = ['SEC', 'MUST', 'rob', 'SHLD', 'MAY'];
const nameOf = letter => letter === 'x' ? 'withheld' : data.outcomes[letters.indexOf(letter)] || 'not run';
const classOf = letter => classes[letter] || letter;
const escape = s => String(s).replace(/[&<>"']/g, c => '&#' + c.charCodeAt(0) + ';');
const label = s => (s.name || s.address || '?') + (s.version ? ' ' + s.version : '');
const roleTitles = {app: 'applications', server: 'servers', script: 'scripts'};

data.cases.forEach((c, i) => {
  const parts = c.name.split('/');
  c.index = i;
  c.protocol = parts[0];
  c.section = parts.slice(0, 2).join('/');
  c.slug = parts.slice(2).join('/') || c.name;
  c.words = [c.name, c.quote, c.source, c.sends, c.expected].join('\n').toLowerCase();
  c.row = data.peers.map(p => p.results[i]).join('');
  c.outcomes = new Set(c.row.replace(/ /g, ''));
  c.differ = new Set([...c.row].filter(l => ran.includes(l)).map(l => bad.includes(l) ? 'f' : l)).size > 1;
});
const byName = new Map(data.cases.map(c => [c.name, c]));
const byID = new Map(data.peers.map((p, i) => [p.id, i]));

// The matrix is drawn once; filters only switch classes.
function draw() {
  const head = data.peers.map((p, i) => '<th scope="col"><button data-peer="' + i + '" title="' + escape(label(p.subject)) +
    '"><b>' + escape(p.subject.name || p.subject.address) + '</b><span>' +
    escape([p.subject.version, p.subject.protocol].filter(Boolean).join(' · ')) + '</span></button></th>').join('');
  const bodies = [];
  for (let i = 0; i < data.cases.length;) {
    const from = i;
    const section = data.cases[from].section;
    while (i < data.cases.length && data.cases[i].section === section) i++;
    bodies.push(drawSection(data.cases.slice(from, i)));
  }
  $('matrix').innerHTML = '<thead><tr><th class="corner">case</th>' + head + '</tr><tr class="count"></tr></thead>' +
    bodies.join('');
}

function drawSection(cases) {
  const failed = data.peers.map((p, i) => {
    const n = cases.filter(c => bad.includes(c.row[i])).length;
    return '<td>' + (n || '') + '</td>';
  });
  const source = cases.map(c => c.source).reduce((a, b) => b.length < a.length ? b : a);
  const rows = cases.map(c => '<tr class="l' + c.level + '" data-case="' + c.index + '"><th scope="row" title="' + escape(c.name) +
    '"><span class="level">' + shortLevels[c.level] + '</span>' + escape(c.slug) + '</th>' +
    [...c.row].map(l => '<td class="' + classOf(l) + '">' + shapes[l] + '</td>').join('') + '</tr>');
  return '<tbody><tr class="group"><th scope="rowgroup">' + escape(cases[0].section) + '<small>' + escape(source) +
    '</small></th>' + failed.join('') + '</tr>' + rows.join('') + '</tbody>';
}

// Filters. They stand in the fragment behind "?", so that what is shown can be linked too.
const hiddenColumns = document.head.appendChild(document.createElement('style'));

function options(select, values, titles) {
  select.innerHTML = '<option value="">all</option>' +
    values.map(v => '<option value="' + escape(v) + '">' + escape((titles && titles[v]) || v) + '</option>').join('');
  select.parentNode.classList.toggle('out', values.length < 2);
}

function chip(parent, value, html, title) {
  const button = parent.appendChild(document.createElement('button'));
  button.type = 'button';
  button.innerHTML = html;
  button.title = title;
  button.value = value;
  button.onclick = () => {
    button.setAttribute('aria-pressed', button.getAttribute('aria-pressed') !== 'true');
    filtered();
  };
}

const chosen = id => new Set([...$(id).children].filter(b => b.getAttribute('aria-pressed') === 'true').map(b => b.value));
const choose = (id, values) => [...$(id).children].forEach(b => b.setAttribute('aria-pressed', values.includes(b.value)));

function drawFilters() {
  options($('role'), roles, roleTitles);
  options($('protocol'), [...new Set(data.cases.map(c => c.protocol))]);
  data.levels.forEach((level, i) => {
    if (data.cases.some(c => c.level === i)) chip($('levels'), level, escape(level), 'rows of level ' + level);
  });
  [...letters, 'x'].forEach(l => {
    if (!data.cases.some(c => c.outcomes.has(l))) return;
    const html = '<span class="tag ' + classOf(l) + '">' + shapes[l] + '</span>' + escape(nameOf(l));
    chip($('outcomes'), nameOf(l), html, 'only rows where a peer has this outcome');
  });
}

const roles = ['app', 'server', 'script'].filter(role => data.cases.some(c => c.role === role));

// setFilters has the filters as the fragment says; what it does not say is as at the beginning.
function setFilters(query) {
  const wanted = new URLSearchParams(query);
  const list = name => (wanted.get(name) || '').split(',').filter(Boolean);
  $('text').value = wanted.get('text') || '';
  $('role').value = wanted.get('role') ?? (roles.length > 1 ? roles[0] : '');
  $('protocol').value = wanted.get('protocol') || '';
  $('differ').checked = wanted.has('differ');
  choose('levels', wanted.has('level') ? list('level') : data.levels);
  choose('outcomes', list('outcome'));
  filter();
}

// filters returns the query that stands for the filters.
function filters() {
  const query = new URLSearchParams();
  if ($('text').value) query.set('text', $('text').value);
  if (roles.length > 1 && $('role').value !== roles[0]) query.set('role', $('role').value);
  if ($('protocol').value) query.set('protocol', $('protocol').value);
  const levels = chosen('levels');
  if (levels.size < $('levels').children.length) query.set('level', [...levels].join());
  if (chosen('outcomes').size) query.set('outcome', [...chosen('outcomes')].join());
  if ($('differ').checked) query.set('differ', 1);
  return query.size ? '?' + query : '';
}

function filtered() {
  filter();
  const before = location.hash.split('?')[0];
  history.replaceState(null, '', before || filters() ? (before || '#') + filters() : location.pathname);
}

function filter() {
  const words = $('text').value.toLowerCase().split(/\s+/).filter(Boolean);
  const role = $('role').value;
  const protocol = $('protocol').value;
  const levels = chosen('levels');
  const outcomes = [...chosen('outcomes')];
  const of = c => (!role || c.role === role) && (!protocol || c.protocol === protocol);
  const columns = data.peers.map((p, i) => data.cases.some(c => of(c) && c.row[i] !== ' '));
  let shown = 0;
  for (const body of $('matrix').tBodies) {
    let any = false;
    for (const row of body.rows) {
      if (!row.dataset.case) continue;
      const c = data.cases[row.dataset.case];
      const show = of(c) && levels.has(data.levels[c.level]) && words.every(w => c.words.includes(w)) &&
        (!$('differ').checked || c.differ) &&
        (!outcomes.length || [...c.outcomes].some(l => outcomes.includes(nameOf(l))));
      row.classList.toggle('out', !show);
      any ||= show;
      shown += show;
    }
    body.classList.toggle('out', !any);
  }
  hiddenColumns.textContent = columns.map((show, i) => show ? '' :
    '#matrix tr > :nth-child(' + (i + 2) + ') { display: none }').join('\n');
  $('shown').textContent = shown + ' of ' + data.cases.length + ' cases, peers: ' + columns.filter(Boolean).length;
  drawCounts(of);
}

// drawCounts shows how many of the cases of the chosen role and protocol speak against each peer.
function drawCounts(of) {
  const cells = data.peers.map((p, i) => {
    const counts = {};
    let total = 0;
    for (const c of data.cases) {
      const l = c.row[i];
      if (l === ' ' || !of(c)) continue;
      counts[l] = (counts[l] || 0) + 1;
      if (ran.includes(l)) total++;
    }
    const failed = [...bad].reduce((n, l) => n + (counts[l] || 0), 0);
    const bar = ['p', 'i', 'w', 'f', 'h', 'c'].map(l => counts[l] ?
      '<i class="' + l + '" style="width:' + 100 * counts[l] / total + '%;background:var(--' + l + 'f)"></i>' : '').join('');
    const text = Object.entries(counts).map(([l, n]) => n + ' ' + nameOf(l)).join(', ');
    return '<th title="' + escape(text) + '">' + failed + '<span class="bar" aria-hidden="true">' + bar + '</span></th>';
  });
  $('matrix').tHead.rows[1].innerHTML = '<th class="corner">failures</th>' + cells.join('');
}

// The panel.
const blocks = new Map();

function block(c) {
  const n = Math.floor(c.index / data.perBlock);
  if (!blocks.has(n)) {
    const bytes = Uint8Array.from(atob(data.blocks[n]), ch => ch.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
    blocks.set(n, new Response(stream).json());
  }
  return blocks.get(n);
}

const bytesOf = s => Uint8Array.from(s, ch => ch.charCodeAt(0));
const text = s => new TextDecoder().decode(bytesOf(s));
const pairs = list => '<dl>' + list.filter(([, v]) => v).map(([k, v]) => '<dt>' + escape(k) + '</dt><dd>' + escape(v) + '</dd>').join('') + '</dl>';
const tag = l => '<span class="tag ' + classOf(l) + '">' + escape(nameOf(l)) + '</span>';

function hex(s) {
  const lines = [];
  let last;
  for (let at = 0; at < s.length; at += 16) {
    const row = s.slice(at, at + 16);
    if (row === last) {
      if (!lines[lines.length - 1].endsWith('*')) lines.push('      *');
      continue;
    }
    last = row;
    const codes = [...row].map(ch => ch.charCodeAt(0).toString(16).padStart(2, '0')).join(' ');
    lines.push('      ' + at.toString(16).padStart(4, '0') + '  ' + codes.padEnd(47) + '  ' + row.replace(/[^ -~]/g, '.'));
  }
  return lines.length ? '<span class="data">' + escape(lines.join('\n')) + '</span>\n' : '';
}

function wire(events, strings) {
  const lines = events.map(([at, conn, kind, content, size, records]) => {
    const name = strings[kind];
    const value = strings[content];
    const time = (at / 1000).toFixed(3).padStart(7) + ' s  ';
    if (name !== 'send' && name !== 'recv') {
      return '<span class="meta">' + escape(time + (conn ? '#' + conn + ' ' : '') + name + ' ' + text(value)) + '</span>\n';
    }
    const cut = value.length === size ? '' : value.length ? ', of which the first ' + value.length : ', not shown';
    const verb = name === 'send' ? 'suite sends ' : 'target sends ';
    return '<span class="' + name + '">' + time + '#' + conn + ' ' + verb + size + ' bytes' + cut + '</span>\n' +
      (strings[records] ? '<span class="records">' + escape(strings[records]) + '</span>' : '') + hex(value);
  });
  return '<h3>Wire log</h3><pre>' + lines.join('') + '</pre>';
}

async function casePanel(c, peer) {
  const others = data.peers.map((p, i) => c.row[i] === ' ' ? '' : '<button type="button" class="' + classOf(c.row[i]) + (i === peer ? ' on' : '') +
    '" data-peer="' + i + '" data-case="' + c.index + '">' + shapes[c.row[i]] + ' ' + escape(label(p.subject)) + '</button>').join('');
  let html = '<h2>' + escape(c.name) + '</h2><p>' + (peer === undefined ? '' : tag(c.row[peer])) + '<span class="tag plain">' +
    escape(data.levels[c.level]) + '</span>' + (peer === undefined ? '' : escape(label(data.peers[peer].subject))) + '</p>' +
    '<h3>Requirement</h3><blockquote>' + escape(c.quote) + '<cite>' + escape(c.source) + '</cite></blockquote>' +
    pairs([['sent', c.sends && 'The suite sends ' + c.sends], ['expected', c.expected && 'The target ' + c.expected]]);
  if (peer !== undefined) html += await cellPanel(c, peer);
  return html + '<h3>All peers</h3><div class="others">' + others + '</div>';
}

async function cellPanel(c, peer) {
  const {s, c: cells} = await block(c);
  const cell = cells[c.index + ' ' + peer];
  if (!cell) return '';
  const html = pairs([['got', text(s[cell.g])], ...(cell.i || []).map(i => ['info', text(s[i])]),
    ['took', cell.n ? cell.t + ' ms' + (cell.n > 1 ? ', run ' + cell.n + ' times' : '') : '']]);
  return '<h3>This run</h3>' + html + (cell.w ? wire(cell.w, s) : '');
}

function peerPanel(i) {
  const p = data.peers[i];
  const s = p.subject;
  const rows = [...letters, 'x'].map(l => [l, [...p.results].filter(r => r === l).length]).filter(([, n]) => n);
  return '<h2>' + escape(label(s)) + '</h2><p>' + rows.map(([l, n]) => tag(l) + n + ' ').join(' ') + '</p>' +
    pairs([['role', s.role], ['protocol', s.protocol], ['address', s.address], ['date', p.date], ['took', p.seconds.toFixed(1) + ' s'],
      ['suite', p.suite], ['ended early', p.gone ? 'the target died and did not come back' : ''], ...Object.entries(s.facts || {})]) +
    (s.command ? '<h3>Command</h3><pre class="text">' + escape(s.command) + '</pre>' : '') +
    (s.config ? '<h3>Configuration</h3><pre class="text">' + escape(s.config) + '</pre>' : '');
}

let drawn = 0;

async function open(c, peer) {
  const turn = ++drawn;
  const html = c ? await casePanel(c, peer) : peerPanel(peer);
  if (turn !== drawn) return;
  $('panel').innerHTML = '<button type="button" class="close" aria-label="Close">✕</button>' + html;
  $('panel').hidden = false;
  $('panel').scrollTop = 0;
  mark(c, peer);
}

function mark(c, peer) {
  document.querySelectorAll('td.on').forEach(td => td.classList.remove('on'));
  if (!c || peer === undefined) return;
  const td = $('matrix').querySelector('tr[data-case="' + c.index + '"]').cells[peer + 1];
  td.classList.add('on');
  td.scrollIntoView({block: 'nearest', inline: 'nearest'});
}

function close() {
  drawn++;
  $('panel').hidden = true;
  mark();
}

// The fragment says what is open: #PEER/CASE, #PEER, or #/CASE, each with ?FILTERS.
const link = (c, peer) => '#' + (peer === undefined ? '' : data.peers[peer].id) + (c ? '/' + c.name : '') + filters();

function follow() {
  const [place, query] = location.hash.split('?');
  const [, id, name] = decodeURIComponent(place).match(/^#?([^/]*)\/?(.*)$/);
  const c = byName.get(name);
  const peer = byID.get(id);
  setFilters(query);
  if (!c && peer === undefined) return close();
  if (c && $('role').value && $('role').value !== c.role) {
    $('role').value = c.role;
    filter();
  }
  open(c, peer);
}

const leave = () => { location.hash = '#' + filters(); };

function go(c, peer) {
  if (location.hash === link(c, peer)) follow();
  else location.hash = link(c, peer);
}

document.addEventListener('click', event => {
  const button = event.target.closest('button');
  const row = event.target.closest('tr[data-case]');
  if (button && button.className === 'close') leave();
  else if (button && button.dataset.peer) go(data.cases[button.dataset.case], +button.dataset.peer);
  else if (row && event.target.tagName === 'TD') {
    if (data.cases[row.dataset.case].row[event.target.cellIndex - 1] !== ' ') go(data.cases[row.dataset.case], event.target.cellIndex - 1);
  } else if (row) go(data.cases[row.dataset.case]);
});

document.addEventListener('mouseover', event => {
  const row = event.target.closest('tr[data-case]');
  if (!row || event.target.tagName !== 'TD') return;
  const peer = event.target.cellIndex - 1;
  event.target.title = label(data.peers[peer].subject) + ': ' + nameOf(data.cases[row.dataset.case].row[peer]);
});

// The arrow keys lead from the open cell to its neighbours.
document.addEventListener('keydown', event => {
  if (event.key === 'Escape') leave();
  const steps = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[event.key];
  const from = document.querySelector('td.on');
  if (!steps || !from || /INPUT|SELECT/.test(event.target.tagName)) return;
  event.preventDefault();
  const rows = [...$('matrix').querySelectorAll('tr[data-case]:not(.out)')].filter(r => r.offsetParent);
  const row = rows[rows.indexOf(from.parentNode) + steps[0]];
  let column = from.cellIndex + steps[1];
  while (row && row.cells[column] && !row.cells[column].offsetParent) column += steps[1];
  if (row && row.cells[column] && column > 0) go(data.cases[row.dataset.case], column - 1);
});

$('filters').addEventListener('input', filtered);
$('filters').addEventListener('submit', event => event.preventDefault());
$('filters').addEventListener('reset', event => {
  event.preventDefault();
  setFilters('');
  filtered();
});
window.addEventListener('hashchange', follow);
$('about').textContent = [data.suite, data.peers.map(p => p.date).sort().pop()].filter(Boolean).join(', ');
draw();
drawFilters();
follow();
