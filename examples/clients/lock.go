// go run lock.go LOCK KEY VALUE: writes while holding a lock. The fence has the write refused (412) if the lock went to somebody
// else meanwhile, however long this process was stopped.
package main

import ("cmp"; "encoding/json"; "fmt"; "io"; "log"; "net/http"; "os"; "strings")

func ask(method, path, body, fence string) []byte {
	store := cmp.Or(os.Getenv("HOLDFAST_URL"), "http://demo:8080") + "/v1/stores/_default"
	request, _ := http.NewRequest(method, store+path, strings.NewReader(body))
	if fence != "" { request.Header.Set("Holdfast-Fence", fence) } else { request.Header.Set("Content-Type", "application/json") }
	file := cmp.Or(os.Getenv("HOLDFAST_TOKEN_FILE"), "/var/run/secrets/kubernetes.io/serviceaccount/token")
	if token, err := os.ReadFile(file); err == nil { // read each time: the kubelet renews it
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil { log.Panic(err) }
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode >= 300 { log.Panic(answer.Status, string(text)) }
	return text
}

func main() {
	var held struct { Lease string; Token json.Number }
	json.Unmarshal(ask("POST", "/locks/"+os.Args[1], `{"owner":"lock.go","ttl":"30s","wait":"10s"}`, ""), &held)
	defer ask("DELETE", "/locks/"+os.Args[1]+"?lease="+held.Lease, "", "")
	ask("PUT", "/keys/"+os.Args[2], os.Args[3], os.Args[1]+"="+held.Token.String())
	fmt.Println(held.Token)
}
