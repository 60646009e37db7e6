<?php
// A small web application with one hole of each kind; SAFE=1 serves the same pages without them.
//
// Runtime: php-fpm behind nginx: one process handles one request at a time, and a proxy that
// speaks FastCGI stands before it; or Apache with PHP inside, likewise one request a process.
const FILES = '/srv/files';
const KNOWN_HOSTS = ['127.0.0.1'];
$safe = getenv('SAFE') === '1';
header('Content-Type: text/plain');

function refuse(int $status): never
{
    http_response_code($status);
    exit("no\n");
}

switch (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)) {
    case '/health':
        echo "ok\n";
        break;

    case '/ping':
        $host = $_GET['host'] ?? '127.0.0.1';
        passthru('echo pinging ' . ($safe ? escapeshellarg($host) : $host));
        break;

    case '/fetch':
        $url = $_GET['url'] ?? 'http://127.0.0.1:8080/health';
        if ($safe && !in_array(parse_url($url, PHP_URL_HOST), KNOWN_HOSTS, true)) {
            refuse(400);
        }
        $content = @file_get_contents($url, length: 65536);
        $content === false ? refuse(502) : print($content);
        break;

    case '/file':
        $name = $_GET['name'] ?? 'hello.txt';
        $content = @file_get_contents(FILES . '/' . ($safe ? basename($name) : $name));
        $content === false ? refuse(404) : print($content);
        break;

    case '/user':
        $name = $_GET['name'] ?? 'alice';
        $database = new mysqli(getenv('DATABASE') ?: '127.0.0.1', 'shop', '', 'shop');
        if ($safe) {
            $name = $database->real_escape_string($name);
        }
        foreach ($database->query("SELECT name, mail FROM people WHERE name = '$name'") as $row) {
            echo implode(' ', $row), "\n";
        }
        break;

    case '/upload':
        $upload = $_FILES['picture'] ?? refuse(400);
        $name = basename($upload['name']);
        if ($safe && !preg_match('/\A\w{1,64}\.(png|jpg)\z/', $name)) {
            refuse(400);
        }
        move_uploaded_file($upload['tmp_name'], __DIR__ . '/uploads/' . $name);
        echo "/uploads/$name\n";
        break;

    default:
        refuse(404);
}
