//! Calls to the host. A call that the host refuses is an error, and never ends the VM.

#![expect(unsafe_code, reason = "functions of the host take addresses in our memory")]

use std::ptr::null_mut;

use podstamp_core::interface::Header;

use super::map::Pairs;
use super::types::{Buffer, Headers, LogLevel, MetricKind, Refused};
use super::{imports, map};

/// Writes to the host's log.
pub(crate) fn log(level: LogLevel, message: &str) {
    // SAFETY: the text lives until the call returns, as for all calls below.
    unsafe { imports::proxy_log(level as u32, message.as_ptr(), message.len()) };
}

/// Nanoseconds since 1970; 0 where the host does not know.
pub(crate) fn now() -> u64 {
    let mut time = 0;
    // SAFETY: the host writes one number.
    unsafe { imports::proxy_get_current_time_nanoseconds(&raw mut time) };
    time
}

/// Has the current root's `on_tick` called every so many milliseconds; 0: no longer.
pub(crate) fn tick_every(period: u32) {
    // SAFETY: nothing but a number.
    unsafe { imports::proxy_set_tick_period_milliseconds(period) };
}

/// A part of a buffer: up to `size` bytes from `start`.
pub(crate) fn buffer(buffer: Buffer, start: usize, size: usize) -> Result<Vec<u8>, Refused> {
    given(|data, data_size| {
        // SAFETY: the host allocates with our `proxy_on_memory_allocate` and writes where it put the bytes.
        unsafe { imports::proxy_get_buffer_bytes(buffer as u32, start, size, data, data_size) }
    })
}

/// Puts `data` in place of `size` bytes from `start`. Envoy does so at the beginning and at the end of a buffer only.
pub(crate) fn set_buffer(buffer: Buffer, start: usize, size: usize, data: &[u8]) -> Result<(), Refused> {
    // SAFETY: as above.
    check(unsafe { imports::proxy_set_buffer_bytes(buffer as u32, start, size, data.as_ptr(), data.len()) })
}

/// The value of a header; `None` where it is empty or there is none of that name. One value costs the host a fraction of all of them.
pub(crate) fn header(headers: Headers, name: &str) -> Option<Vec<u8>> {
    let value = given(|data, data_size| {
        // SAFETY: as above.
        unsafe {
            imports::proxy_get_header_map_value(headers as u32, name.as_ptr(), name.len(), data, data_size)
        }
    });
    value.ok().filter(|value| !value.is_empty())
}

/// All headers.
pub(crate) fn headers(headers: Headers) -> Vec<Header> {
    Pairs::read(&header_bytes(headers)).headers()
}

/// All headers as the host hands them over, for [`Pairs::read`]. For a few of them it is less than to ask for each.
pub(crate) fn header_bytes(headers: Headers) -> Vec<u8> {
    let bytes = given(|data, data_size| {
        // SAFETY: as above.
        unsafe { imports::proxy_get_header_map_pairs(headers as u32, data, data_size) }
    });
    bytes.unwrap_or_default()
}

/// Sets a header, in place of any others of that name.
pub(crate) fn set_header(headers: Headers, name: &str, value: &[u8]) -> Result<(), Refused> {
    // SAFETY: as above.
    check(unsafe {
        imports::proxy_replace_header_map_value(
            headers as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Takes a header away.
pub(crate) fn remove_header(headers: Headers, name: &str) {
    // SAFETY: as above.
    unsafe { imports::proxy_remove_header_map_value(headers as u32, name.as_ptr(), name.len()) };
}

/// A property of the stream or the host, by its path, joined by zeros, such as `source\0address`; `None` where it is empty.
pub(crate) fn property(path: &str) -> Option<Vec<u8>> {
    let value = given(|data, data_size| {
        // SAFETY: as above.
        unsafe { imports::proxy_get_property(path.as_ptr(), path.len(), data, data_size) }
    });
    value.ok().filter(|value| !value.is_empty())
}

/// [`property`] as text.
pub(crate) fn property_text(path: &str) -> Option<String> {
    property(path).and_then(|value| String::from_utf8(value).ok())
}

/// Answers the client in place of the upstream. `details` shows up in the host's access log; `grpc_status` is for
/// clients that speak gRPC, and the body then is its message.
pub(crate) fn send_local_response(
    status: u16,
    details: &str,
    headers: &[Header],
    body: &[u8],
    grpc_status: Option<i32>,
) -> Result<(), Refused> {
    let headers = map::encode(headers);
    // SAFETY: as above.
    check(unsafe {
        imports::proxy_send_local_response(
            status.into(),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status.unwrap_or(-1),
        )
    })
}

/// Makes a call to a cluster. Its end comes to the root context by `on_http_call_response`, with the token that is returned
/// here. `timeout` is milliseconds.
pub(crate) fn http_call(
    cluster: &str,
    headers: &[Header],
    body: &[u8],
    timeout: u32,
) -> Result<u32, Refused> {
    let headers = map::encode(headers);
    let trailers = map::encode(&[]);
    let mut token = 0;
    // SAFETY: as above.
    let status = unsafe {
        imports::proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            trailers.as_ptr(),
            trailers.len(),
            timeout,
            &raw mut token,
        )
    };
    check(status).map(|()| token)
}

/// A metric by its name: the same one in all VMs of a process.
pub(crate) fn define_metric(kind: MetricKind, name: &str) -> Result<u32, Refused> {
    let mut id = 0;
    // SAFETY: as above.
    let status = unsafe { imports::proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) };
    check(status).map(|()| id)
}

/// Adds to a counter.
pub(crate) fn increment_metric(id: u32, by: i64) {
    // SAFETY: nothing but numbers.
    unsafe { imports::proxy_increment_metric(id, by) };
}

/// Sets a gauge, or puts a value into a histogram.
pub(crate) fn record_metric(id: u32, value: u64) {
    // SAFETY: nothing but numbers.
    unsafe { imports::proxy_record_metric(id, value) };
}

fn check(status: u32) -> Result<(), Refused> {
    if status == 0 { Ok(()) } else { Err(Refused(status)) }
}

/// Takes over what a host has put into memory of ours.
fn given(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, Refused> {
    let mut data = null_mut();
    let mut size = 0;
    check(call(&raw mut data, &raw mut size))?;
    if data.is_null() || size == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: it comes from `proxy_on_memory_allocate`, which makes room for exactly so many bytes.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}
