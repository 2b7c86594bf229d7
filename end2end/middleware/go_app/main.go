// An API that Latchkey's middleware for net/http protects. Each door has the options that the environment names.
package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	latchkey "latchkey.example/go"
)

type door struct {
	URL           string `json:"url"`
	Token         string `json:"token"`
	ApplicationID string `json:"application_id"`
	Scopes        any    `json:"scopes"`
	Cost          uint64 `json:"cost"`
	TimeoutMs     int64  `json:"timeout_ms"`
	CacheMs       int64  `json:"cache_ms"`
	IPHeader      string `json:"ip_header"`
	KeyHeader     string `json:"key_header"`
}

func main() {
	var doors map[string]door
	if err := json.Unmarshal([]byte(os.Getenv("DOORS")), &doors); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/open", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "open") })
	for name, door := range doors {
		protect, err := latchkey.New(door.options())
		if err != nil {
			log.Fatal(err)
		}
		mux.Handle("/"+name+"/who", protect(http.HandlerFunc(who)))
		mux.Handle("/"+name+"/hurried", hurried(protect(http.HandlerFunc(who))))
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), mux))
}

// hurried gives up sooner than the middleware does.
func hurried(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 100*time.Millisecond)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func who(w http.ResponseWriter, r *http.Request) {
	caller, _ := latchkey.CallerOf(r.Context())
	body, _ := io.ReadAll(r.Body)
	_ = json.NewEncoder(w).Encode(struct {
		latchkey.Caller
		Body string `json:"body"`
	}{caller, string(body)})
	// No other request is told of it.
	for at := range caller.Tags {
		caller.Tags[at] = "changed"
	}
	for _, value := range caller.Metadata {
		if list, isList := value.([]any); isList {
			list[0] = "changed"
		}
	}
}

func (d door) options() latchkey.Options {
	options := latchkey.Options{
		URL:           d.URL,
		Token:         d.Token,
		ApplicationID: d.ApplicationID,
		Scopes:        operators(d.Scopes),
		Timeout:       time.Duration(d.TimeoutMs) * time.Millisecond,
		Cache:         time.Duration(d.CacheMs) * time.Millisecond,
	}
	if d.Cost > 0 {
		options.Cost = func(*http.Request) uint64 { return d.Cost }
	}
	if d.IPHeader != "" {
		options.IP = func(r *http.Request) string { return r.Header.Get(d.IPHeader) }
	}
	if d.KeyHeader != "" {
		options.Key = func(r *http.Request) string { return r.Header.Get(d.KeyHeader) }
	}
	return options
}

// operators is a query of scopes as a program would write it.
func operators(scopes any) any {
	query, isQuery := scopes.(map[string]any)
	if !isQuery {
		return scopes
	}
	if all, isAll := query["all"].([]any); isAll {
		return latchkey.All(members(all))
	}
	one, _ := query["any"].([]any)
	return latchkey.Any(members(one))
}

func members(terms []any) []any {
	made := make([]any, len(terms))
	for at, term := range terms {
		made[at] = operators(term)
	}
	return made
}
