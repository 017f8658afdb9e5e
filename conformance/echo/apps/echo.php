<?php
// The echo application of gangway's conformance suite in PHP. It answers each request with what it saw of it, and
// QUERY_STRING can ask for other answers: see the documentation of the package echo.
//
//     php-fpm                                     FastCGI, with SCRIPT_FILENAME=/path/of/echo.php
//     php-cgi -b /tmp/echo.sock                   FastCGI, with the same
//     REDIRECT_STATUS=1 SCRIPT_FILENAME=$PWD/echo.php REQUEST_METHOD=GET php-cgi      CGI
//
// The body of a POST larger than the setting post_max_size (8M, if nobody changed it) does not reach the script: add
// -d post_max_size=0, or use PUT.
//
// SPDX-License-Identifier: Apache-2.0
ini_set('default_charset', '');
ini_set('display_errors', '0');
set_time_limit(0);
header_remove('X-Powered-By');
while (ob_get_level() > 0) {
    ob_end_clean();
}

const MADE_BY_PHP = [
    'PHP_SELF', 'PHP_AUTH_USER', 'PHP_AUTH_PW', 'PHP_AUTH_DIGEST', 'REQUEST_TIME', 'REQUEST_TIME_FLOAT', 'argv', 'argc',
];
const LARGE_LINE = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+\n";

function word(string $s): string
{
    return preg_replace_callback('{[^A-Za-z0-9._~/-]}', fn($m) => sprintf('%%%02X', ord($m[0])), $s);
}

// Descriptors above 2 that PHP did not open for itself, so without close-on-exec.
function descriptors(): array
{
    $found = [];
    foreach (@scandir('/proc/self/fd') ?: [] as $fd) {
        $own = (int)$fd <= 2 || @readlink("/proc/self/fd/$fd") === __FILE__;
        $info = (string)@file_get_contents("/proc/self/fdinfo/$fd");
        if (!$own && preg_match('/flags:\s*(\d+)/', $info, $m) && !(octdec($m[1]) & 02000000)) {
            $found[] = $fd;
        }
    }
    return $found;
}

function body(): string
{
    $in = fopen('php://input', 'rb');
    $hash = hash_init('sha256');
    return hash_update_stream($hash, $in) . ' ' . hash_final($hash);
}

// The meta-variables are those of $_SERVER that PHP did not make itself. Where PHP takes a name for that of an array,
// the value is printed as JSON.
function lines(string $body): string
{
    $text = "echo 1\n";
    foreach (array_diff_key($_SERVER, array_flip(MADE_BY_PHP)) as $name => $value) {
        $text .= 'var ' . word($name) . ' ' . word(is_string($value) ? $value : json_encode($value)) . "\n";
    }
    $text .= "body $body\n";
    foreach (descriptors() as $fd) {
        $text .= "fd $fd\n";
    }
    return $text . 'cwd ' . word(getcwd()) . "\npid " . getmypid() . "\nend\n";
}

// Writes the bytes $from to $to of the answer of the mode large.
function large(int $from, int $to): void
{
    while ($from < $to) {
        $part = substr(str_repeat(LARGE_LINE, 1024), $from % 64, $to - $from);
        echo $part;
        $from += strlen($part);
    }
}

// Writes so many bytes as lines to the error stream of the SAPI, which ends each with LF.
function errors(int $bytes): void
{
    for (; $bytes > 0; $bytes -= 64) {
        error_log(str_repeat('e', min($bytes, 64) - 1), 4);
    }
}

function respond(string $lines, array $mode): void
{
    $first = intdiv($mode['stderr'] ?? 0, 128) * 64; // half of it, in whole lines
    $large = $mode['crash'] ?? $mode['large'] ?? null;
    $text = isset($mode['binary']) ? implode(array_map('chr', range(0, 255))) : $lines;
    errors($first);
    header('Content-Type: '
        . ($large !== null || isset($mode['binary']) ? 'application/octet-stream' : 'text/x-gangway-echo'));
    if ($large === null && !isset($mode['binary']) && isset($mode['flush'])) {
        for ($tick = 1; $tick <= 3; $tick++) {
            usleep($tick > 1 ? $mode['flush'] * 1000 : 0);
            echo "tick $tick\n";
            flush();
        }
        return;
    }
    $length = $large ?? strlen($text);
    $write = $large !== null ? 'large' : function ($from, $to) use ($text) {
        echo substr($text, $from, $to - $from);
    };
    $write(0, intdiv($length, 2));
    if (isset($mode['stderr'])) {
        flush();
        errors($mode['stderr'] - $first);
    }
    $write(intdiv($length, 2), $length);
}

if (($_SERVER['FCGI_ROLE'] ?? '') === 'AUTHORIZER') {
    header('Status: 200');
    header('Variable-ECHO: 1');
    exit;
}
$mode = [];
foreach (explode('&', $_SERVER['QUERY_STRING'] ?? '') as $word) {
    if (preg_match('/^(?:noread|binary|empty|crash)$/D', $word)) {
        $mode[$word === 'crash' ? 'crash at once' : $word] = true;
    } elseif (preg_match('/^(sleep|exit|stderr|large|flush|crash)=(\d+)$/D', $word, $m)) {
        $mode[$m[1]] = (int)$m[2];
    }
}
$lines = lines(isset($mode['noread']) ? '- -' : body());
usleep(($mode['sleep'] ?? 0) * 1000);
if (isset($mode['crash at once'])) {
    exec('kill -9 ' . getmypid());
}
if (!isset($mode['empty'])) {
    respond($lines, $mode);
}
if (isset($mode['crash'])) {
    flush();
    exec('kill -9 ' . getmypid());
}
exit($mode['exit'] ?? 0);
