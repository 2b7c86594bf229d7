//! How a proxy asks about the key of each request: the few lines to try it with.

use latchkey_domain::id::ProjectId;
use leptos::prelude::*;

use super::KeyScope;
use super::fields::Disclosure;
use crate::layout::server_url;
use latchkey_ui::code_tabs::CodeTabs;
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::snippets::{Language, Snippet};

/// The configuration of each proxy, one for each tab.
fn ask_about_requests(origin: &str, project: ProjectId) -> Vec<Snippet> {
    let is_https = origin.starts_with("https:");
    let part = |language, text: &str| {
        let lines = text.trim().lines().filter(|line| is_https || !line.contains("proxy_ssl"));
        let code = lines.collect::<Vec<_>>().join("\n");
        let code = code.replace("ORIGIN", origin).replace("PROJECT", &project.to_string());
        Snippet { language, code }
    };
    vec![part(Language::Nginx, NGINX), part(Language::Caddy, CADDY)]
}

const NGINX: &str = r#"
# in server { … }
location / {
    auth_request /_latchkey;
    # The key ends here. X-Latchkey-… of the client pass; the full recipe replaces them.
    proxy_set_header X-Api-Key "";
    proxy_set_header Authorization "";
    proxy_pass http://127.0.0.1:8000;  # your server
}

location = /_latchkey {
    internal;
    proxy_pass ORIGIN/v1/check/PROJECT;
    proxy_ssl_server_name on;
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
    proxy_set_header X-Latchkey-Scopes "";  # or "orders:read"
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header Forwarded "";
    proxy_buffer_size 16k;
    proxy_buffers 4 16k;
}
"#;

const CADDY: &str = r#"
:8080 {
    forward_auth ORIGIN {
        uri /v1/check/PROJECT
        header_up Host {upstream_hostport}
        header_up -X-Latchkey-Scopes  # or X-Latchkey-Scopes "orders:read"
        header_up -Forwarded
    }
    # The key ends here, and so does what a client claims about itself.
    request_header -*latchkey*
    request_header -X-Api-Key
    request_header -Authorization
    reverse_proxy 127.0.0.1:8000  # your server
}
"#;

/// A closed part of the page with the configuration of proxies.
#[component]
pub fn ForwardAuth(
    /// Whose keys the proxy asks about.
    scope: Signal<KeyScope>,
) -> impl IntoView {
    let open = RwSignal::new(false);
    let project = Memo::new(move |_| scope.with(|scope| scope.project.id));
    let snippets = move || {
        let snippets = ask_about_requests(&server_url(), project.get());
        view! { <CodeTabs id="proxy" snippets/> }
    };
    view! {
        <section class="mt-7 rounded-lg border border-line bg-surface p-4" aria-label="Protect a server">
            <Disclosure
                label="Protect a server without code"
                controls="proxies"
                open
                summary=Signal::stored("nginx, Caddy, Traefik, HAProxy and Envoy can ask about each request.".to_owned())
            />
            <div id="proxies" class="mt-3 flex flex-col gap-3" class:hidden=move || !open.get()>
                <p class="text-table text-ink-2">
                    "The proxy asks Latchkey about the key of each request, in "
                    <code class="font-mono text-code text-ink">"x-api-key"</code> " or "
                    <code class="font-mono text-code text-ink">"Authorization: Bearer"</code>
                    ". The server behind it needs no change, and no request passes while Latchkey is away."
                </p>
                {snippets}
                <p class="text-caption text-ink-2">
                    "With these lines alone, nginx answers a key over its limit with 500. What is needed for 429 with "
                    <code class="font-mono text-[11.5px] text-ink">"Retry-After"</code>
                    ", and what Traefik, HAProxy and Envoy need, is in "
                    <code class="font-mono text-[11.5px] text-ink">"docs/forward-auth"</code>
                    " of Latchkey’s source. "
                    <a
                        href="/docs"
                        rel="external"
                        class="inline-flex min-h-6 items-center gap-1 rounded-xs font-medium text-accent-ink hover:underline"
                    >
                        "What each answer means"
                        <Icon glyph=Glyph::ArrowUpRight size=12/>
                    </a>
                </p>
            </div>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use latchkey_ui::snippets::{CodeTone, highlight};

    use super::*;

    fn project() -> ProjectId {
        "prj_01h455vb4pex5vsknk084sn02q".parse().unwrap()
    }

    #[test]
    fn every_proxy_asks_the_readers_own_server_about_the_project() {
        for Snippet { code, language } in ask_about_requests("http://127.0.0.1:3000", project()) {
            assert!(code.contains("http://127.0.0.1:3000"), "{code}");
            assert!(code.contains(&format!("/v1/check/{}", project())), "{code}");
            assert!(!code.contains("ORIGIN") && !code.contains("PROJECT"), "{code}");
            assert!(!code.contains("proxy_ssl"), "{code}");
            let snippet = Snippet { language, code };
            let pieces = highlight(&snippet);
            assert!(pieces.iter().any(|(tone, _)| *tone == CodeTone::Keyword), "{language:?}");
            assert_eq!(pieces.iter().map(|(_, text)| *text).collect::<String>(), snippet.code);
        }
    }

    #[test]
    fn nginx_names_the_server_that_it_asks_over_tls() {
        let nginx = &ask_about_requests("https://keys.example.com", project())[0];
        assert!(nginx.code.contains("proxy_ssl_server_name on;"), "{}", nginx.code);
    }

    #[test]
    fn no_proxy_passes_on_what_a_client_claims_or_its_key() {
        let proxies = ask_about_requests("http://127.0.0.1:3000", project());
        let [nginx, caddy] = &proxies[..] else { panic!("another proxy") };
        for line in [
            "proxy_set_header X-Forwarded-For $remote_addr;",
            "proxy_set_header Forwarded \"\";",
            "proxy_set_header X-Api-Key \"\";",
            "proxy_set_header Authorization \"\";",
        ] {
            assert!(nginx.code.contains(line), "{line}");
        }
        for line in [
            "header_up -Forwarded",
            "request_header -*latchkey*",
            "request_header -X-Api-Key",
            "request_header -Authorization",
        ] {
            assert!(caddy.code.contains(line), "{line}");
        }
    }
}
