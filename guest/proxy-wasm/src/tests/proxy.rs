//! A host for tests: the functions of the ABI, on a proxy that is only memory.
//!
//! It does as Envoy does where that matters: buffers change at their beginning and end only, headers only while they are
//! held, and a second answer to one stream is refused.

#![expect(unsafe_code, reason = "it stands on the other side of the ABI")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use podstamp_core::interface::Header;

use crate::abi::{Action, Buffer, Headers, map};
use crate::exports::{
    proxy_on_configure, proxy_on_context_create, proxy_on_delete, proxy_on_http_call_response,
    proxy_on_memory_allocate, proxy_on_request_body, proxy_on_request_headers, proxy_on_request_trailers,
    proxy_on_response_body, proxy_on_response_headers, proxy_on_tick,
};

/// What a proxy knows and has been told.
#[derive(Default)]
pub(crate) struct Proxy {
    pub(crate) buffers: HashMap<u32, Vec<u8>>,
    pub(crate) headers: HashMap<u32, Vec<Header>>,
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) log: Vec<String>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) calls: Vec<Call>,
    /// Nanoseconds.
    pub(crate) now: u64,
    pub(crate) tick: u32,
    /// Functions that this proxy refuses.
    pub(crate) refuses: BTreeSet<&'static str>,
    metrics: Vec<(String, i64)>,
    contexts: u32,
}

/// An answer in place of the upstream's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u32,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Vec<u8>,
    pub(crate) grpc_status: i32,
}

/// A request of the module's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) cluster: String,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: u32,
}

thread_local! {
    static PROXY: RefCell<Proxy> = RefCell::default();
}

/// Looks at the proxy of this test, or changes it.
pub(crate) fn proxy<T>(call: impl FnOnce(&mut Proxy) -> T) -> T {
    PROXY.with_borrow_mut(call)
}

/// Makes a root with this configuration; none where the module refuses it.
pub(crate) fn root(configuration: &str) -> Option<u32> {
    let root = next_context();
    proxy(|proxy| proxy.buffers.insert(Buffer::PluginConfiguration as u32, configuration.into()));
    proxy_on_context_create(root, 0);
    (proxy_on_configure(root, configuration.len()) == 1).then_some(root)
}

/// One request on its way through the module.
pub(crate) struct Stream {
    context: u32,
}

impl Stream {
    /// Begins a request with these headers.
    pub(crate) fn begin(root: u32, headers: &[(&str, &str)], end: bool) -> (Self, Action) {
        let stream = Self { context: next_context() };
        proxy_on_context_create(stream.context, root);
        let headers = headers.iter().map(|(name, value)| Header::new(name, value)).collect();
        proxy(|proxy| {
            proxy.headers.insert(Headers::Request as u32, headers);
            proxy.buffers.insert(Buffer::RequestBody as u32, Vec::new());
            proxy.buffers.insert(Buffer::ResponseBody as u32, Vec::new());
            proxy.answers.clear();
        });
        let action = proxy_on_request_headers(stream.context, 0, end.into());
        (stream, action)
    }

    /// More of the request's body comes.
    pub(crate) fn body(&self, more: &[u8], end: bool) -> Action {
        let size = append(Buffer::RequestBody, more);
        let action = proxy_on_request_body(self.context, size, end.into());
        if action == Action::Continue && !end {
            proxy(|proxy| proxy.buffers.insert(Buffer::RequestBody as u32, Vec::new()));
        }
        action
    }

    /// The request ends with trailers.
    pub(crate) fn trailers(&self) -> Action {
        proxy_on_request_trailers(self.context, 1)
    }

    /// A response comes; without a body its head is its end.
    pub(crate) fn respond(&self, details: &str, headers: &[(&str, &str)], body: Option<&[u8]>) {
        let headers = headers.iter().map(|(name, value)| Header::new(name, value)).collect();
        proxy(|proxy| {
            proxy.headers.insert(Headers::Response as u32, headers);
            proxy.properties.insert("response.code_details".to_owned(), details.to_owned());
        });
        proxy_on_response_headers(self.context, 0, body.is_none().into());
        if let Some(body) = body
            && proxy(|proxy| proxy.answers.is_empty())
        {
            let size = append(Buffer::ResponseBody, body);
            proxy_on_response_body(self.context, size, 0);
            proxy_on_response_body(self.context, size, 1);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        proxy_on_delete(self.context);
    }
}

/// Time passes.
pub(crate) fn tick(root: u32, milliseconds: u64) {
    proxy(|proxy| proxy.now += milliseconds * 1_000_000);
    proxy_on_tick(root);
}

/// A call of the module's own gets this response, or none.
pub(crate) fn answer_call(root: u32, token: u32, headers: &[(&str, &str)], body: &[u8]) {
    let headers: Vec<_> = headers.iter().map(|(name, value)| Header::new(name, value)).collect();
    let count = headers.len();
    proxy(|proxy| {
        proxy.headers.insert(Headers::CallResponse as u32, headers);
        proxy.buffers.insert(Buffer::CallResponseBody as u32, body.to_vec());
    });
    proxy_on_http_call_response(root, token, count, body.len(), 0);
}

/// What goes to the upstream, or what the client gets of its response.
pub(crate) fn buffer(buffer: Buffer) -> Vec<u8> {
    proxy(|proxy| proxy.buffers.get(&(buffer as u32)).cloned().unwrap_or_default())
}

/// A header as it is now.
pub(crate) fn header(headers: Headers, name: &str) -> Option<String> {
    proxy(|proxy| {
        let headers = proxy.headers.get(&(headers as u32))?;
        let header = headers.iter().find(|header| header.name == name)?;
        Some(String::from_utf8(header.value.clone()).unwrap())
    })
}

/// The value of a metric; 0 where there is none.
pub(crate) fn metric(name: &str) -> i64 {
    crate::contexts::flush();
    proxy(|proxy| proxy.metrics.iter().find(|(known, _)| known == name).map_or(0, |(_, value)| *value))
}

fn next_context() -> u32 {
    proxy(|proxy| {
        proxy.contexts += 1;
        proxy.contexts
    })
}

fn append(buffer: Buffer, more: &[u8]) -> usize {
    proxy(|proxy| {
        let bytes = proxy.buffers.entry(buffer as u32).or_default();
        bytes.extend_from_slice(more);
        bytes.len()
    })
}

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;
const INTERNAL_FAILURE: u32 = 10;

fn refused(function: &'static str) -> bool {
    proxy(|proxy| proxy.refuses.contains(function))
}

fn bytes<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if size == 0 {
        return &[];
    }
    // SAFETY: the module gives what it has.
    unsafe { std::slice::from_raw_parts(data, size) }
}

fn text(data: *const u8, size: usize) -> String {
    String::from_utf8(bytes(data, size).to_vec()).unwrap()
}

fn give(value: Option<&[u8]>, data: *mut *mut u8, data_size: *mut usize) -> u32 {
    let Some(value) = value else { return NOT_FOUND };
    let room = proxy_on_memory_allocate(value.len());
    // SAFETY: the module gives addresses to write to, and room of that size.
    unsafe {
        if !value.is_empty() {
            std::ptr::copy_nonoverlapping(value.as_ptr(), room, value.len());
        }
        *data = room;
        *data_size = value.len();
    }
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_log(_level: u32, message: *const u8, size: usize) -> u32 {
    let message = text(message, size);
    proxy(|proxy| proxy.log.push(message));
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32 {
    // SAFETY: the module gives an address to write to.
    unsafe { *time = proxy(|proxy| proxy.now) };
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_tick_period_milliseconds(period: u32) -> u32 {
    proxy(|proxy| proxy.tick = period);
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_buffer_bytes(
    buffer: u32,
    start: usize,
    size: usize,
    data: *mut *mut u8,
    data_size: *mut usize,
) -> u32 {
    if refused("get_buffer") {
        return BAD_ARGUMENT;
    }
    let whole = proxy(|proxy| proxy.buffers.get(&buffer).cloned());
    let end = |whole: &[u8]| start.saturating_add(size).min(whole.len());
    give(whole.as_ref().and_then(|whole| whole.get(start..end(whole))), data, data_size)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_buffer_bytes(
    buffer: u32,
    start: usize,
    size: usize,
    data: *const u8,
    data_size: usize,
) -> u32 {
    if refused("set_buffer") {
        return BAD_ARGUMENT;
    }
    let new = bytes(data, data_size);
    proxy(|proxy| {
        let Some(bytes) = proxy.buffers.get_mut(&buffer) else { return NOT_FOUND };
        match start {
            0 => drop(bytes.splice(..size.min(bytes.len()), new.iter().copied())),
            start if start >= bytes.len() => bytes.extend_from_slice(new),
            _ => return BAD_ARGUMENT,
        }
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_header_map_pairs(headers: u32, data: *mut *mut u8, data_size: *mut usize) -> u32 {
    let encoded = proxy(|proxy| map::encode(proxy.headers.get(&headers).map_or(&[], Vec::as_slice)));
    give(Some(&encoded), data, data_size)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_header_map_value(
    headers: u32,
    name: *const u8,
    name_size: usize,
    data: *mut *mut u8,
    data_size: *mut usize,
) -> u32 {
    let name = text(name, name_size);
    let value = proxy(|proxy| {
        let headers = proxy.headers.get(&headers)?;
        headers.iter().find(|header| header.name == name).map(|header| header.value.clone())
    });
    give(value.as_deref(), data, data_size)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_replace_header_map_value(
    headers: u32,
    name: *const u8,
    name_size: usize,
    value: *const u8,
    value_size: usize,
) -> u32 {
    if refused("set_header") {
        return BAD_ARGUMENT;
    }
    let header = Header { name: text(name, name_size), value: bytes(value, value_size).to_vec() };
    proxy(|proxy| {
        let headers = proxy.headers.entry(headers).or_default();
        headers.retain(|other| other.name != header.name);
        headers.push(header);
    });
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_remove_header_map_value(headers: u32, name: *const u8, name_size: usize) -> u32 {
    let name = text(name, name_size);
    proxy(|proxy| proxy.headers.entry(headers).or_default().retain(|header| header.name != name));
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_property(
    path: *const u8,
    path_size: usize,
    data: *mut *mut u8,
    data_size: *mut usize,
) -> u32 {
    let path = text(path, path_size).replace('\0', ".");
    let value = proxy(|proxy| proxy.properties.get(&path).cloned());
    give(value.as_ref().map(String::as_bytes), data, data_size)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_send_local_response(
    status: u32,
    _details: *const u8,
    _details_size: usize,
    body: *const u8,
    body_size: usize,
    headers: *const u8,
    headers_size: usize,
    grpc_status: i32,
) -> u32 {
    if refused("send_local_response") {
        return INTERNAL_FAILURE;
    }
    let headers = map::Pairs::read(bytes(headers, headers_size)).headers();
    let answer = Answer { status, headers, body: bytes(body, body_size).to_vec(), grpc_status };
    proxy(|proxy| {
        assert!(proxy.answers.is_empty(), "a second answer, at which Envoy leaves the client waiting");
        proxy.answers.push(answer);
    });
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_http_call(
    cluster: *const u8,
    cluster_size: usize,
    headers: *const u8,
    headers_size: usize,
    body: *const u8,
    body_size: usize,
    _trailers: *const u8,
    _trailers_size: usize,
    timeout: u32,
    token: *mut u32,
) -> u32 {
    if refused("http_call") {
        return BAD_ARGUMENT;
    }
    let headers = map::Pairs::read(bytes(headers, headers_size)).headers();
    let call = Call {
        cluster: text(cluster, cluster_size),
        headers,
        body: bytes(body, body_size).to_vec(),
        timeout,
    };
    let number = proxy(|proxy| {
        proxy.calls.push(call);
        proxy.calls.len() as u32
    });
    // SAFETY: the module gives an address to write to.
    unsafe { *token = number };
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_define_metric(_kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32 {
    if refused("define_metric") {
        return INTERNAL_FAILURE;
    }
    let name = text(name, name_size);
    let number = proxy(|proxy| {
        let known = proxy.metrics.iter().position(|(known, _)| *known == name);
        known.unwrap_or_else(|| {
            proxy.metrics.push((name, 0));
            proxy.metrics.len() - 1
        })
    });
    // SAFETY: the module gives an address to write to.
    unsafe { *id = number as u32 };
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_increment_metric(id: u32, offset: i64) -> u32 {
    proxy(|proxy| proxy.metrics[id as usize].1 += offset);
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_record_metric(id: u32, value: u64) -> u32 {
    proxy(|proxy| proxy.metrics[id as usize].1 = value as i64);
    OK
}
