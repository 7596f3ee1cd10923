//! The page of podstamp itself, with traffic that the scripts send.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use podstamp_test_support::ports::closed_port;
use podstamp_test_support::spans;

use super::driver::Driver;
use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup, podstamp};

#[test]
fn every_view_shows_what_came_and_why() {
    let (_agent, served) = serve(CONSOLE);
    play("views", &served);
}

#[test]
fn ten_thousand_spans_and_names_that_mean_harm_come_through_podstamp() {
    let (_agent, served) = serve(CONSOLE);
    play("extremes", &served);
}

#[test]
fn with_credentials_and_without_payloads() {
    let (_agent, served) = serve("    console: true\n    auth: {authenticator: basicauth/console}\n");
    play("guarded", &served);
}

#[test]
fn the_page_follows_podstamp_across_a_restart() {
    let agent = FakeAgent::start();
    // While it is away, nobody else gets its ports.
    let (port, admin) = (Some(closed_port().port()), Some(closed_port().port()));
    let serve = || Setup { port, admin, ..setup(&agent, CONSOLE) }.serve();
    let mut served = serve();
    let Some(mut driver) = start("restart", &served) else { return };
    let mut line = String::new();
    BufReader::new(driver.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    if line == "restart\n" {
        served.terminate();
        served.wait();
        served = serve();
        // A script that has failed meanwhile does not read, and says itself why.
        drop(driver.child.stdin.as_mut().unwrap().write_all(b"done\n"));
    }
    driver.end();
    drop(served);
}

/// Also takes the pictures that docs/console.md has.
#[test]
fn the_demo_has_something_to_see() {
    let mut demo = Demo(podstamp(["demo", "--keep"]).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(demo.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("in a browser")).unwrap();
    let page = line.split_whitespace().last().unwrap();
    if let Some(driver) = Driver::start("served.mjs", &["demo", page, page]) {
        driver.end();
    }
}

/// Ended when dropped.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        drop(Command::new("kill").args(["-INT", &self.0.id().to_string()]).status());
        drop(self.0.wait());
    }
}

fn play(scenario: &str, served: &Served) {
    if let Some(driver) = start(scenario, served) {
        driver.end();
    }
}

fn start(scenario: &str, served: &Served) -> Option<Driver> {
    let (admin, otlp) = (format!("http://{}/", served.admin), format!("http://{}/", served.address));
    Driver::start("served.mjs", &[scenario, &admin, &otlp])
}

/// A podstamp as `setup` has it.
fn serve(admin: &str) -> (FakeAgent, Served) {
    let agent = FakeAgent::start();
    let served = setup(&agent, admin).serve();
    (agent, served)
}

/// One with two pods, and an admin listener as `admin` has it.
fn setup(agent: &FakeAgent, admin: &str) -> Setup {
    let mut setup = Setup::load_balancer(&agent.url())
        .pods(spans::pods(&[("web-1", "10.244.1.1"), ("web-2", "10.244.1.2")]))
        .own(admin);
    setup.config.push_str("    headers: {x-secret: hidden-from-all}\n");
    setup.config = setup.config.replace("service:\n", "service:\n  extensions: [basicauth/console]\n");
    setup.config.push_str("extensions:\n  basicauth/console:\n    htpasswd: {inline: \"ada:lovelace\"}\n");
    setup
}

const CONSOLE: &str =
    "    console: {payloads: true, trace_link: \"https://grafana.example/trace/{trace_id}\"}\n";
