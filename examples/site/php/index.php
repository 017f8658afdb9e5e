<?php
header('Content-Type: text/plain; charset=utf-8');
echo 'served by PHP ', PHP_VERSION, ' (', PHP_SAPI, '), process ', getmypid(), "\n";
ksort($_SERVER);
foreach ($_SERVER as $name => $value) {
    if (is_string($value)) {
        echo $name, '=', $value, "\n";
    }
}
