//! A trace as a tree of lines.

use std::{collections::HashMap, fmt::Write as _};

use nonrecours_rpc::telemetry::SERVICE_ATTRIBUTE;
use opentelemetry::trace::{SpanId, SpanKind, TraceId};
use opentelemetry_sdk::trace::SpanData;

/// Deepest nesting that is drawn.
const MAX_DEPTH: usize = 40;

/// What a trace is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The trace.
    pub trace: TraceId,
    /// Spans in it.
    pub spans: usize,
    /// Services with a span in it, sorted.
    pub services: Vec<String>,
    /// Spans in which a service applied a change of another: the feeds.
    pub applied_changes: usize,
    /// Of those, the ones that link to the batch that brought the change.
    pub linked: usize,
    /// Spans whose parent is not in the capture, beside the root.
    pub orphans: usize,
}

/// The spans of one trace.
pub struct TraceTree<'a> {
    root: &'a SpanData,
    children: HashMap<SpanId, Vec<&'a SpanData>>,
    members: Vec<&'a SpanData>,
}

impl<'a> TraceTree<'a> {
    /// The trace that begins with the span of this name.
    pub fn of_root(spans: &'a [SpanData], name: &str) -> Option<Self> {
        let root = spans.iter().find(|span| span.name == name)?;
        let trace = root.span_context.trace_id();
        let members: Vec<_> = spans
            .iter()
            .filter(|span| span.span_context.trace_id() == trace)
            .collect();
        let mut children: HashMap<SpanId, Vec<&SpanData>> = HashMap::new();
        for span in &members {
            children.entry(span.parent_span_id).or_default().push(span);
        }
        for siblings in children.values_mut() {
            siblings.sort_by_key(|span| span.start_time);
        }
        Some(Self {
            root,
            children,
            members,
        })
    }

    /// What it is made of.
    pub fn summary(&self) -> Summary {
        let mut services: Vec<String> = self
            .members
            .iter()
            .filter_map(|span| service(span))
            .collect();
        services.sort();
        services.dedup();
        let known: std::collections::HashSet<SpanId> = self
            .members
            .iter()
            .map(|span| span.span_context.span_id())
            .collect();
        let applied: Vec<_> = self
            .members
            .iter()
            .filter(|span| span.span_kind == SpanKind::Consumer)
            .collect();
        Summary {
            trace: self.root.span_context.trace_id(),
            spans: self.members.len(),
            services,
            applied_changes: applied.len(),
            linked: applied.iter().filter(|span| !span.links.is_empty()).count(),
            orphans: self
                .members
                .iter()
                .filter(|span| {
                    span.span_context.span_id() != self.root.span_context.span_id()
                        && !known.contains(&span.parent_span_id)
                })
                .count(),
        }
    }

    /// The tree, a span a line: a call's client and server side are one line.
    pub fn draw(&self) -> String {
        let mut text = format!("{}\n", self.root.name);
        self.draw_below(self.root, "", 0, &mut text);
        text
    }

    fn draw_below(&self, span: &SpanData, indent: &str, depth: usize, text: &mut String) {
        if depth == MAX_DEPTH {
            return;
        }
        let below = self.below(span);
        for (index, child) in below.iter().enumerate() {
            let last = index + 1 == below.len();
            let (branch, deeper) = if last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            // A call's two sides say the same: the server's is shown, under it what the server did.
            let shown = match self.below(child).as_slice() {
                [only]
                    if child.span_kind == SpanKind::Client
                        && only.span_kind == SpanKind::Server =>
                {
                    only
                }
                _ => *child,
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{indent}{branch}{}", line(shown));
            self.draw_below(shown, &format!("{indent}{deeper}"), depth + 1, text);
        }
    }

    fn below(&self, span: &SpanData) -> Vec<&'a SpanData> {
        self.children
            .get(&span.span_context.span_id())
            .cloned()
            .unwrap_or_default()
    }
}

fn line(span: &SpanData) -> String {
    let millis = span
        .end_time
        .duration_since(span.start_time)
        .unwrap_or_default()
        .as_millis();
    let service = service(span)
        .map(|name| format!("[{name}] "))
        .unwrap_or_default();
    let what = match span.span_kind {
        SpanKind::Consumer => {
            let kind = attribute(span, "nonrecours.change.kind");
            format!("⇠ flux : {}", kind.as_deref().unwrap_or(&span.name))
        }
        // `package.Service/Method` without its package.
        SpanKind::Client => format!("→ {}", span.name.rsplit('.').next().unwrap_or(&span.name)),
        SpanKind::Server => span
            .name
            .rsplit('.')
            .next()
            .unwrap_or(&span.name)
            .to_owned(),
        _ => span.name.to_string(),
    };
    let code = attribute(span, "rpc.response.status_code")
        .filter(|code| code != "OK" && code != "0")
        .map(|code| format!(" {code}"))
        .unwrap_or_default();
    let links = if span.links.is_empty() {
        ""
    } else {
        " (lien vers le lot)"
    };
    format!("{service}{what}{code}{links} {millis} ms")
}

fn service(span: &SpanData) -> Option<String> {
    attribute(span, SERVICE_ATTRIBUTE)
}

fn attribute(span: &SpanData, key: &str) -> Option<String> {
    span.attributes
        .iter()
        .find(|attribute| attribute.key.as_str() == key)
        .map(|attribute| attribute.value.to_string())
}
