// go run watch.go PREFIX FILE: prints every change under a prefix. The position in FILE is where it goes on after a restart or a
// broken connection, without gap or repetition. After `compacted` list the prefix: what happened before is not known.
package main

import ("bufio"; "cmp"; "fmt"; "net/http"; "os"; "strings"; "time")

func main() {
	url := cmp.Or(os.Getenv("HOLDFAST_URL"), "http://demo:8080") + "/v1/stores/_default/watch?prefix=" + os.Args[1]
	token := cmp.Or(os.Getenv("HOLDFAST_TOKEN_FILE"), "/var/run/secrets/kubernetes.io/serviceaccount/token")
	for ; ; time.Sleep(time.Second) {
		request, _ := http.NewRequest("GET", url, nil)
		if text, err := os.ReadFile(token); err == nil { request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(text))) }
		if text, err := os.ReadFile(os.Args[2]); err == nil { request.Header.Set("Last-Event-ID", string(text)) }
		answer, err := http.DefaultClient.Do(request)
		if err != nil { fmt.Fprintln(os.Stderr, err); continue }
		event, lines := map[string]string{}, bufio.NewReader(answer.Body)
		for line, err := lines.ReadString('\n'); err == nil; line, err = lines.ReadString('\n') {
			if name, value, found := strings.Cut(strings.TrimSpace(line), ": "); found { event[name] = value; continue }
			if event["event"] != "" { fmt.Println(event["event"], event["data"]) } // a heartbeat has a position only
			if event["id"] != "" {
				os.WriteFile(os.Args[2]+".new", []byte(event["id"]), 0o600)
				os.Rename(os.Args[2]+".new", os.Args[2])
			}
			event = map[string]string{}
		}
		answer.Body.Close()
	}
}
