//! The page with answers that its own little server makes up: names that mean harm, 10,000 spans in a trace, every odd span.

use podstamp_test_support::ports::closed_port;

use super::driver::Driver;

#[test]
fn every_view_is_accessible_small_and_large_light_and_dark() {
    play("accessible");
}

#[test]
fn what_is_no_pods_is_not_called_good() {
    play("sober");
}

#[test]
fn names_that_mean_harm_do_none() {
    play("hostile");
}

#[test]
fn of_ten_thousand_spans_each_is_drawn_or_counted() {
    play("large");
}

#[test]
fn bars_stand_where_their_spans_are() {
    play("flame");
}

#[test]
fn the_keyboard_gets_everywhere_and_out_again() {
    play("keyboard");
}

#[test]
fn the_page_comes_back_after_a_lost_connection() {
    play("restart");
}

/// With a port for a server that goes away and comes back: nobody else gets it meanwhile.
fn play(scenario: &str) {
    let port = closed_port().port().to_string();
    if let Some(driver) = Driver::start("made_up.mjs", &[scenario, &port]) {
        driver.end();
    }
}
