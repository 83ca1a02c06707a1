// go run cas.go KEY: adds one to a number that others change too. Writes only if what it read is still the newest.
package main

import ("cmp"; "fmt"; "io"; "log"; "net/http"; "os"; "strconv"; "strings")

func ask(method, body, header, value string) (int, string, string) {
	url := cmp.Or(os.Getenv("HOLDFAST_URL"), "http://demo:8080") + "/v1/stores/_default/keys/" + os.Args[1]
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil { log.Fatal(err) }
	request.Header.Set(header, value)
	file := cmp.Or(os.Getenv("HOLDFAST_TOKEN_FILE"), "/var/run/secrets/kubernetes.io/serviceaccount/token")
	if token, err := os.ReadFile(file); err == nil { // read each time: the kubelet renews it
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil { log.Fatal(err) }
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, answer.Header.Get("ETag"), string(text)
}

func main() {
	for status := 412; status == 412; { // 412: somebody was faster; once more
		read, etag, value := ask("GET", "", "Accept", "*/*")
		number, header := 0, "If-None-Match"
		if read == 200 { number, _ = strconv.Atoi(value); header = "If-Match" }
		status, _, value = ask("PUT", strconv.Itoa(number+1), header, cmp.Or(etag, "*"))
		if status < 300 { fmt.Println(number + 1) } else if status != 412 { log.Fatal(status, value) }
	}
}
