// A small web application with one hole of each kind; SAFE=1 serves the same pages without them.
//
// Runtime: net/http: a goroutine a connection, moved between threads as the scheduler likes.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	files    = "/srv/files"
	bytesMax = 65536
)

var (
	safe       = os.Getenv("SAFE") == "1"
	knownHosts = map[string]bool{"127.0.0.1": true}
	client     = http.Client{Timeout: 2 * time.Second}
)

func argument(request *http.Request, name, otherwise string) string {
	if value := request.URL.Query().Get(name); value != "" {
		return value
	}
	return otherwise
}

func health(answer http.ResponseWriter, _ *http.Request) { fmt.Fprintln(answer, "ok") }

func ping(answer http.ResponseWriter, request *http.Request) {
	host := argument(request, "host", "127.0.0.1")
	command := exec.Command("sh", "-c", "echo pinging "+host)
	if safe {
		command = exec.Command("echo", "pinging", host)
	}
	output, _ := command.Output()
	_, _ = answer.Write(output)
}

func fetch(answer http.ResponseWriter, request *http.Request) {
	given := argument(request, "url", "http://127.0.0.1:8080/health")
	asked, err := url.Parse(given)
	if err != nil || (safe && !knownHosts[asked.Hostname()]) {
		http.Error(answer, "no", http.StatusBadRequest)
		return
	}
	got, err := client.Get(given)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadGateway)
		return
	}
	defer got.Body.Close()
	_, _ = io.Copy(answer, io.LimitReader(got.Body, bytesMax))
}

func file(answer http.ResponseWriter, request *http.Request) {
	name := argument(request, "name", "hello.txt")
	if safe {
		name = filepath.Base(name)
	}
	content, err := os.ReadFile(filepath.Join(files, name))
	if err != nil {
		http.NotFound(answer, request)
		return
	}
	_, _ = answer.Write(content)
}

func main() {
	for path, page := range map[string]http.HandlerFunc{
		"/health": health, "/ping": ping, "/fetch": fetch, "/file": file,
	} {
		http.HandleFunc(path, page)
	}
	log.Fatal(http.ListenAndServe(":8080", nil))
}
