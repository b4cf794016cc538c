//! Finished spans, kept in memory.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};

/// Most spans that a [`SpanCapture`] keeps; older ones give way.
pub const MAX_CAPTURED_SPANS: usize = 50_000;

/// The last spans that finished in this process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct SpanCapture(Arc<Mutex<VecDeque<SpanData>>>);

impl SpanCapture {
    /// Finished spans, in the order in which they ended; at most [`MAX_CAPTURED_SPANS`].
    pub fn spans(&self) -> Vec<SpanData> {
        let spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spans.iter().cloned().collect()
    }
}

impl SpanProcessor for SpanCapture {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spans.len() == MAX_CAPTURED_SPANS {
            spans.pop_front();
        }
        spans.push_back(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
