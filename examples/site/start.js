// Asks each part of the site and shows what answered. A part answers in plain text: a line that names what served it,
// then the meta-variables it saw, NAME=VALUE, one on a line.
"use strict";

const parts = [
  { name: "EGI", path: "echo.egi", what: "a Go function in the gateway's own process" },
  { name: "CGI", path: "cgi-bin/env.sh/path/info?query=1", what: "a shell script, started for each request" },
  { name: "PHP", path: "php/index.php/path/info?query=1", what: "FastCGI to php-fpm or php-cgi" },
  { name: "Rack", path: "rack/path/info?query=1", what: "a Ruby application, config.ru" },
  { name: "WSGI", path: "wsgi/path/info?query=1", what: "a Python application, wsgi.py" },
  { name: "PSGI", path: "psgi/path/info?query=1", what: "a Perl application, app.psgi" },
  { name: "static", path: "static.txt", what: "a file, sent as it is" },
];

function element(tag, text, className) {
  const e = document.createElement(tag);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  return e;
}

function card(part) {
  const article = element("article");
  article.id = part.name;
  const title = element("h2");
  const link = element("a", part.name);
  link.href = part.path;
  title.append(link, element("span", "asking …", "state"));
  article.append(title, element("p", part.what, "by"));
  return article;
}

function variables(lines) {
  const table = element("table");
  for (const line of lines) {
    const at = line.indexOf("=");
    if (at < 1) continue;
    const row = element("tr");
    row.append(element("td", line.slice(0, at)), element("td", line.slice(at + 1)));
    table.append(row);
  }
  return table;
}

async function ask(part, article) {
  const started = performance.now();
  const state = article.querySelector(".state");
  try {
    const answer = await fetch(part.path, { cache: "no-store" });
    const text = await answer.text();
    const took = (performance.now() - started).toFixed(1);
    state.textContent = `${answer.status} in ${took} ms`;
    article.className = answer.ok ? "up" : "down";
    const [first, ...rest] = text.trimEnd().split("\n");
    const named = !first.includes("="); // the built-in app begins with its variables
    article.querySelector(".by").textContent = answer.ok ? (named ? first : part.what) : `${part.what}: ${first}`;
    const table = variables(named ? rest : [first, ...rest]);
    if (answer.ok && table.rows.length > 0) {
      const details = element("details");
      details.append(element("summary", `${table.rows.length} meta-variables`), table);
      article.append(details);
    }
    return answer.ok;
  } catch (error) {
    state.textContent = "no answer";
    article.className = "down";
    return false;
  }
}

async function start() {
  const main = document.getElementById("parts");
  main.replaceChildren();
  const asked = parts.map((part) => {
    const article = card(part);
    main.append(article);
    return ask(part, article);
  });
  const up = (await Promise.all(asked)).filter(Boolean).length;
  document.getElementById("summary").textContent = `${up} of ${parts.length} parts are up`;
}

start();
