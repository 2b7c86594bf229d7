// Package latchkey protects a net/http server with Latchkey's API keys.
//
// It asks Latchkey about the key of each request, and admits nothing that Latchkey did not call valid: what goes wrong
// on the way is 503, with a line for the operator.
package latchkey

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	cacheLimit   = time.Second
	cacheEntries = 10_000
	answerLimit  = 1 << 20
	challenge    = `ApiKey realm="latchkey", Bearer realm="latchkey"`
	noKey        = "No API key was sent. Send it in the x-api-key header, or as Authorization: Bearer."
)

var statuses = map[string]int{
	"missing_key":                401,
	"malformed_key":              401,
	"unknown_key":                401,
	"revoked_key":                401,
	"expired_key":                401,
	"disabled_key":               401,
	"rate_limited":               429,
	"token_rate_limited":         429,
	"too_many_parallel_requests": 429,
	"request_budget_exhausted":   429,
	"token_budget_exhausted":     429,
	"spend_limit_reached":        429,
	"quota_exceeded":             429,
	"unavailable":                503,
}

var details = map[int]string{
	401: "This API key is not valid.",
	403: "This API key may not make this request.",
	429: "This API key has reached a limit.",
	503: "The API key can't be checked right now. Try again shortly.",
}

// All is a query that every one of its members meets: scopes, All or Any.
type All []any

// Any is a query that one of its members meets: scopes, All or Any.
type Any []any

// MarshalJSON writes the operator as Latchkey reads it.
func (all All) MarshalJSON() ([]byte, error) { return json.Marshal(map[string][]any{"all": all}) }

// MarshalJSON writes the operator as Latchkey reads it.
func (one Any) MarshalJSON() ([]byte, error) { return json.Marshal(map[string][]any{"any": one}) }

// Options say whom to ask, and what.
type Options struct {
	// URL is Latchkey's address, without /v1.
	URL string
	// Token is a service key with the permission keys:verify.
	Token string
	// ApplicationID is the application that keys have to be for. Optional.
	ApplicationID string
	// Scopes are the scopes that keys need: a []string (all of them), All or Any. Optional.
	Scopes any
	// Cost is the number of tokens that a request takes from the key's tokens a minute and token budgets. Default: 0.
	Cost func(*http.Request) uint64
	// IP is the client's address, for keys with allowed_cidrs. Without it they are refused.
	IP func(*http.Request) string
	// Key takes the key from the request. Default: x-api-key, else Authorization: Bearer.
	Key func(*http.Request) string
	// Timeout is how long Latchkey may take. Default: 2 s.
	Timeout time.Duration
	// Cache is how long a valid answer may be used again, at most 1 s. Default: 0, every request is asked about.
	Cache time.Duration
	// ErrorLog takes lines for the operator. Default: the log package's.
	ErrorLog *log.Logger
}

// Caller is whoever holds the key of a request.
type Caller struct {
	KeyID       string `json:"key_id"`
	Name        string `json:"name"`
	Environment string `json:"environment"`
	ProjectID   string `json:"project_id"`
	// ApplicationID is empty if the key is for the whole project.
	ApplicationID string `json:"application_id"`
	// ExternalID is your own id of the key's user; empty if it has none.
	ExternalID string   `json:"external_id"`
	Scopes     []string `json:"scopes"`
	// Metadata has its numbers as json.Number, so that nothing of them is lost.
	Metadata map[string]any `json:"metadata"`
	Tags     []string       `json:"tags"`
}

// clone shares nothing with the original: handlers may change what they are told.
func (c Caller) clone() Caller {
	c.Scopes, c.Tags = append([]string{}, c.Scopes...), append([]string{}, c.Tags...)
	c.Metadata = cloneObject(c.Metadata)
	return c
}

func cloneObject(object map[string]any) map[string]any {
	copied := make(map[string]any, len(object))
	for name, value := range object {
		copied[name] = cloneJSON(value)
	}
	return copied
}

func cloneJSON(value any) any {
	switch value := value.(type) {
	case map[string]any:
		return cloneObject(value)
	case []any:
		copied := make([]any, len(value))
		for at, member := range value {
			copied[at] = cloneJSON(member)
		}
		return copied
	}
	return value
}

type callerKey struct{}

// CallerOf is whoever made the request with this context; false outside of a protected handler.
func CallerOf(ctx context.Context) (Caller, bool) {
	caller, found := ctx.Value(callerKey{}).(Caller)
	return caller, found
}

// Shared, so that every middleware of a program uses the same connections. Redirects are not followed: another host
// would be sent the service key. Idle connections are closed before Latchkey or a proxy before it closes them.
var client = &http.Client{
	Transport:     transport(),
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func transport() http.RoundTripper {
	shared, isPlain := http.DefaultTransport.(*http.Transport)
	if !isPlain {
		return http.DefaultTransport
	}
	own := shared.Clone()
	// The default keeps two, and makes a new connection for nearly every call of a busy server.
	own.MaxIdleConnsPerHost = 100
	own.IdleConnTimeout = 4 * time.Second
	return own
}

type middleware struct {
	Options
	endpoint string
	cache    cache
}

// New makes a middleware that refuses every request without a valid key.
func New(options Options) (func(http.Handler) http.Handler, error) {
	base, err := url.Parse(options.URL)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" || base.User != nil ||
		base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("latchkey: URL has to be Latchkey's address, as https://latchkey.example.com")
	}
	if options.Token == "" || strings.IndexFunc(options.Token, func(c rune) bool { return c <= ' ' || c > '~' }) >= 0 {
		return nil, errors.New("latchkey: Token has to be a service key")
	}
	if options.Timeout < 0 || options.Cache < 0 || options.Cache > cacheLimit {
		return nil, errors.New("latchkey: Timeout has to be above 0, and Cache at most 1 s")
	}
	if _, err := json.Marshal(options.Scopes); err != nil {
		return nil, fmt.Errorf("latchkey: Scopes: %w", err)
	}
	if options.Timeout == 0 {
		options.Timeout = 2 * time.Second
	}
	if options.Key == nil {
		options.Key = presentedKey
	}
	if options.ErrorLog == nil {
		options.ErrorLog = log.Default()
	}
	m := &middleware{Options: options, endpoint: strings.TrimRight(options.URL, "/") + "/v1/keys/verify"}
	m.cache.known = make(map[question]admitted)
	return m.protect, nil
}

func (m *middleware) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secret := m.Key(r)
		if secret == "" {
			refuse(w, "missing_key", noKey)
			return
		}
		body, err := m.question(r, secret)
		if err != nil {
			m.unavailable(w, err)
			return
		}
		asked := time.Now()
		var hash question
		if m.Cache > 0 {
			hash = sha256.Sum256(body)
			if caller, found := m.cache.get(hash, asked); found {
				next.ServeHTTP(w, withCaller(r, caller.clone()))
				return
			}
		}
		answer, err := m.ask(r.Context(), body)
		if r.Context().Err() != nil {
			// Not only a client that goes ends it, a time-out of the program does too. Without an answer of ours
			// net/http would answer 200.
			refuse(w, "unavailable", "")
			return
		}
		if err != nil {
			m.unavailable(w, err)
			return
		}
		answer.rateHeaders(w.Header())
		if !*answer.Valid {
			if answer.RetryAfterSeconds != nil {
				w.Header().Set("Retry-After", strconv.FormatUint(*answer.RetryAfterSeconds, 10))
			}
			refuse(w, answer.Code, answer.Detail)
			return
		}
		if m.Cache > 0 {
			// From before the call: Latchkey may revoke the key as soon as it has answered.
			m.cache.put(hash, admitted{answer.clone(), asked.Add(m.Cache)}, time.Now())
		}
		next.ServeHTTP(w, withCaller(r, answer.Caller))
	})
}

func (m *middleware) unavailable(w http.ResponseWriter, err error) {
	m.ErrorLog.Printf("latchkey: %v", err)
	refuse(w, "unavailable", "")
}

// The whole question is what an answer is kept for, so that it is never taken for another one.
func (m *middleware) question(r *http.Request, secret string) ([]byte, error) {
	body := map[string]any{"key": secret}
	if m.ApplicationID != "" {
		body["application_id"] = m.ApplicationID
	}
	if m.Scopes != nil {
		body["scopes"] = m.Scopes
	}
	if m.Cost != nil {
		body["cost"] = m.Cost(r)
	}
	if m.IP != nil {
		// An address that can't be read is none: a key that is bound to networks is then refused.
		if ip, err := netip.ParseAddr(m.IP(r)); err == nil {
			body["ip"] = ip.WithZone("").String()
		}
	}
	return json.Marshal(body)
}

type rate struct {
	Limit        uint64  `json:"limit"`
	Remaining    uint64  `json:"remaining"`
	ResetSeconds float64 `json:"reset_seconds"`
}

type answer struct {
	Caller
	Valid             *bool   `json:"valid"`
	Code              string  `json:"code"`
	Detail            string  `json:"detail"`
	RetryAfterSeconds *uint64 `json:"retry_after_seconds"`
	Ratelimit         *rate   `json:"ratelimit"`
	Tokens            *rate   `json:"tokens"`
}

func (m *middleware) ask(ctx context.Context, body []byte) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, m.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+m.Token)
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("Latchkey can't be asked: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("Latchkey answered %d%s", response.StatusCode, hint(response.StatusCode))
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return nil, fmt.Errorf("Latchkey can't be asked: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var told answer
	if err := decoder.Decode(&told); err != nil || told.Valid == nil || told.Code == "" ||
		(*told.Valid && told.KeyID == "") {
		return nil, errors.New("Latchkey's answer is none to a verification; check the URL")
	}
	// Handlers may answer with them: never null.
	if told.Scopes == nil {
		told.Scopes = []string{}
	}
	if told.Metadata == nil {
		told.Metadata = map[string]any{}
	}
	if told.Tags == nil {
		told.Tags = []string{}
	}
	return &told, nil
}

func hint(status int) string {
	switch {
	case status == 401, status == 403, status == 429:
		return "; check that Token is a service key with keys:verify"
	case status == 422:
		return "; check ApplicationID, Scopes and Cost"
	case status == 404, status < 400:
		return "; check URL"
	}
	return ""
}

func presentedKey(r *http.Request) string {
	if key := r.Header.Get("X-Api-Key"); key != "" {
		return key
	}
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(key)
}

func withCaller(r *http.Request, caller Caller) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, caller))
}

func (told *answer) rateHeaders(header http.Header) {
	for unit, state := range map[string]*rate{"Requests": told.Ratelimit, "Tokens": told.Tokens} {
		if state != nil {
			header.Set("X-Ratelimit-Limit-"+unit, strconv.FormatUint(state.Limit, 10))
			header.Set("X-Ratelimit-Remaining-"+unit, strconv.FormatUint(state.Remaining, 10))
			header.Set("X-Ratelimit-Reset-"+unit, strconv.FormatFloat(state.ResetSeconds, 'f', 3, 64)+"s")
		}
	}
}

func refuse(w http.ResponseWriter, code, detail string) {
	status, known := statuses[code]
	if !known {
		// A later Latchkey may refuse for reasons that this version does not know.
		status = http.StatusForbidden
	}
	if detail == "" {
		detail = details[status]
	}
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	if status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", challenge)
	}
	if status == http.StatusServiceUnavailable && header.Get("Retry-After") == "" {
		header.Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	problem := map[string]any{"type": "about:blank", "title": http.StatusText(status), "status": status, "code": code, "detail": detail}
	// The client may be gone.
	_ = json.NewEncoder(w).Encode(problem)
}

// question is the hash of a question: the key itself is not kept.
type question [sha256.Size]byte

type admitted struct {
	caller Caller
	until  time.Time
}

type cache struct {
	mutex sync.Mutex
	known map[question]admitted
}

func (c *cache) get(asked question, now time.Time) (Caller, bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	entry, found := c.known[asked]
	return entry.caller, found && now.Before(entry.until)
}

func (c *cache) put(asked question, entry admitted, now time.Time) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if len(c.known) >= cacheEntries {
		for other, old := range c.known {
			if !now.Before(old.until) {
				delete(c.known, other)
			}
		}
	}
	// Full of answers that still hold: this one is not kept.
	if len(c.known) < cacheEntries {
		c.known[asked] = entry
	}
}
