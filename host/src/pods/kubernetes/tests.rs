//! Against a server that does as it is told. What it does not prove is what real ones do.

use std::sync::Arc;

use podstamp_core::config::{AuthType, Kubernetes, Selector};
use podstamp_test_support::PATIENCE;
use podstamp_test_support::kubernetes::ScriptedApi;
use serde_json::{Value, json};

use super::failure::Reason;
use super::*;

/// A pod of namespace shop.
fn pod(name: &str, ip: &str) -> Value {
    pod_since(name, ip, "2026-11-26T08:00:00Z")
}

fn pod_since(name: &str, ip: &str, since: &str) -> Value {
    json!({
        "metadata": {"name": name, "creationTimestamp": since, "managedFields": [{"manager": "kubelet"}]},
        "spec": {"nodeName": "node-1", "containers": [{"name": "main"}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "hostIP": "192.168.0.1", "startTime": since},
    })
}

fn kubernetes(api: &ScriptedApi) -> Kubernetes {
    Kubernetes {
        auth_type: Some(AuthType::KubeConfig),
        kube_config_path: Some(api.config().display().to_string()),
        ..Kubernetes::default()
    }
}

/// Pods that are watched until this is dropped.
struct Watched {
    pods: Arc<KubernetesPods>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watched {
    fn start(kubernetes: Kubernetes) -> Self {
        let coverage = if kubernetes.selector.is_all() { Coverage::Cluster } else { Coverage::Part };
        let settings = Settings {
            first_wait: Duration::from_millis(5),
            ..Settings::new(kubernetes, Surroundings::default(), KeptKeys::ALL, coverage)
        };
        let pods = Arc::new(KubernetesPods::new(settings));
        let task = tokio::spawn(Arc::clone(&pods).watch(Arc::default()));
        Self { pods, task }
    }

    /// Watches all pods and waits until they are there.
    async fn loaded(api: &ScriptedApi) -> Self {
        let watched = Self::start(kubernetes(api));
        watched.until("all pods are there", |watched| watched.status().is_loaded()).await;
        watched
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let wait = async {
            while !is_so(self) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "not so: {what}");
    }

    async fn until_found(&self, term: Term<'_>, expected: &str) {
        let wait = async {
            while self.find(term) != expected {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "{term:?}: {} in place of {expected}", self.find(term));
    }

    async fn until_failed(&self, reason: Reason) {
        self.until(failure::key(reason), |watched| watched.status().failures(reason) > 0).await;
    }

    fn status(&self) -> &SourceStatus {
        self.pods.status()
    }

    /// The pod's name, or the outcome.
    fn find(&self, term: Term<'_>) -> String {
        match self.pods.find(&[term], Details::default()) {
            Lookup::Found(pod) => pod.name.to_string(),
            other => format!("{other:?}"),
        }
    }

    fn failures(&self) -> u64 {
        (0..11).map(|index| REASONS[index]).map(|reason| self.status().failures(reason)).sum()
    }
}

const REASONS: [Reason; 11] = [
    Reason::Config,
    Reason::Unreachable,
    Reason::Tls,
    Reason::Unauthorized,
    Reason::Forbidden,
    Reason::Expired,
    Reason::OtherData,
    Reason::Silent,
    Reason::Broken,
    Reason::Invalid,
    Reason::Status,
];

fn ip(text: &str) -> Term<'_> {
    Term::Ip(text.parse().unwrap())
}

#[tokio::test]
async fn pods_are_listed_once_and_followed() {
    let api = ScriptedApi::serve(&[pod("cart-0", "10.0.0.1"), pod("cart-1", "10.0.0.2")]);
    let watched = Watched::loaded(&api).await;
    assert_eq!(watched.find(ip("10.0.0.1")), "cart-0");
    assert_eq!(watched.find(ip("192.168.0.1")), "Node");
    assert_eq!(watched.find(ip("10.0.0.9")), "Absent");
    api.apply(&pod("cart-2", "10.0.0.3"));
    watched.until_found(ip("10.0.0.3"), "cart-2").await;
    api.apply(&pod("cart-2", "10.0.0.4"));
    watched.until_found(ip("10.0.0.4"), "cart-2").await;
    assert_eq!(watched.find(ip("10.0.0.3")), "Absent", "it has another address now");
    assert_eq!((watched.failures(), api.lists(), watched.status().relists()), (0, 1, 0));
    assert!(watched.status().is_connected());
}

#[tokio::test]
async fn only_pods_are_asked_for_as_the_selector_says() {
    let api = ScriptedApi::serve(&[pod("cart-0", "10.0.0.1")]);
    let selector = Selector {
        namespace: None,
        fields: "spec.nodeName=node-1".to_owned(),
        labels: "app=shop,!debug".to_owned(),
    };
    let watched = Watched::start(Kubernetes { selector, watch_sync_period: 60_000, ..kubernetes(&api) });
    watched.until_found(ip("10.0.0.1"), "cart-0").await;
    assert_eq!(watched.find(ip("10.0.0.2")), "Unknown", "other nodes have pods as well");
    let asked = api.asked();
    assert_eq!(asked[0].authorization, "Bearer first");
    for part in [
        "/api/v1/pods?",
        "timeoutSeconds=60",
        "fieldSelector=spec.nodeName%3Dnode-1",
        "labelSelector=app%3Dshop%2C%21debug",
        "allowWatchBookmarks=true",
    ] {
        assert!(asked[0].target.contains(part), "{}", asked[0].target);
    }
}

#[tokio::test]
async fn a_server_that_cannot_stream_lists_is_asked_page_by_page() {
    let pods: Vec<_> = (0..7)
        .map(|pod_number| pod(&format!("cart-{pod_number}"), &format!("10.0.0.{pod_number}")))
        .collect();
    let api = ScriptedApi::serve(&pods);
    api.stream_lists(false);
    api.page(3);
    let watched = Watched::loaded(&api).await;
    assert_eq!(watched.pods.pods().table().len(), 7);
    let pages = api.asked().iter().filter(|asked| asked.target.contains("limit=500")).count();
    assert_eq!((pages, watched.failures()), (3, 0), "this is no failure");
    api.apply(&pod("cart-7", "10.0.0.77"));
    watched.until_found(ip("10.0.0.77"), "cart-7").await;
}

#[tokio::test]
async fn a_stream_that_fails_for_no_clear_reason_is_followed_by_pages_once() {
    let api = ScriptedApi::serve(&[pod("cart-0", "10.0.0.1")]);
    api.answer(Some((500, "etcdserver: leader changed")));
    let watched = Watched::start(kubernetes(&api));
    watched.until_failed(Reason::Status).await;
    api.answer(None);
    watched.until_found(ip("10.0.0.1"), "cart-0").await;
}

#[tokio::test]
async fn a_deleted_pod_is_found_for_a_while_and_its_address_until_another_has_it() {
    let api = ScriptedApi::serve(&[pod("old", "10.0.0.1"), pod("other", "10.0.0.2")]);
    let watched = Watched::loaded(&api).await;
    api.delete("old");
    watched.until("it is gone", |watched| watched.pods.keeper.leaving() == 1).await;
    assert_eq!(watched.find(ip("10.0.0.1")), "old", "spans come late");
    api.apply(&pod_since("new", "10.0.0.1", "2026-11-26T09:00:00Z"));
    watched.until_found(ip("10.0.0.1"), "new").await;
    assert_eq!(watched.find(Term::Uid("uid-old")), "old");
    assert_eq!(watched.pods.keeper.leaving(), 1);
}

#[tokio::test]
async fn a_deleted_pod_is_forgotten_after_its_grace() {
    let api = ScriptedApi::serve(&[pod("old", "10.0.0.1")]);
    let watched = Watched::start(Kubernetes { pod_delete_grace_period: 40, ..kubernetes(&api) });
    watched.until_found(ip("10.0.0.1"), "old").await;
    api.delete("old");
    watched.until_found(ip("10.0.0.1"), "Absent").await;
    watched.until_found(Term::Uid("uid-old"), "Absent").await;
    assert_eq!(watched.pods.keeper.leaving(), 0);
    let at_once = Watched::start(Kubernetes { pod_delete_grace_period: 0, ..kubernetes(&api) });
    at_once.until("loaded", |watched| watched.status().is_loaded()).await;
    api.apply(&pod("brief", "10.0.0.2"));
    at_once.until_found(ip("10.0.0.2"), "brief").await;
    api.delete("brief");
    at_once.until_found(ip("10.0.0.2"), "Absent").await;
}

#[tokio::test]
async fn a_pod_of_the_same_name_is_another_pod() {
    let api = ScriptedApi::serve(&[pod("cart-0", "10.0.0.1")]);
    let watched = Watched::loaded(&api).await;
    api.delete("cart-0");
    let mut again = pod_since("cart-0", "10.0.0.2", "2026-11-26T09:00:00Z");
    again["metadata"]["uid"] = "uid-again".into();
    api.apply(&again);
    watched.until_found(ip("10.0.0.2"), "cart-0").await;
    let found = |term| match watched.pods.find(&[term], Details::default()) {
        Lookup::Found(pod) => pod.uid.to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(found(Term::Name("cart-0")), "uid-again", "the live one");
    assert_eq!(found(Term::Uid("uid-cart-0")), "uid-cart-0");
    assert_eq!(found(ip("10.0.0.1")), "uid-cart-0");
}

#[tokio::test]
async fn finished_pods_give_their_address_up() {
    let api = ScriptedApi::serve(&[pod("job", "10.0.0.1")]);
    let watched = Watched::loaded(&api).await;
    let mut done = pod("job", "10.0.0.1");
    done["status"]["phase"] = "Succeeded".into();
    api.apply(&done);
    watched.until_found(ip("10.0.0.1"), "Absent").await;
    assert_eq!(watched.find(Term::Uid("uid-job")), "job");
}

#[tokio::test]
async fn a_watch_that_is_cut_in_mid_event_goes_on_where_it_was() {
    let api = ScriptedApi::serve(&[pod("cart-0", "10.0.0.1")]);
    let watched = Watched::loaded(&api).await;
    for round in 1..4 {
        api.wait_watched(1);
        let (name, address) = (format!("cart-{round}"), format!("10.0.0.1{round}"));
        api.cut(r#"{"type":"ADDED","object":{"metadata":{"name":"half","#);
        api.apply(&pod(&name, &address));
        watched.until_found(ip(&address), &name).await;
    }
    assert_eq!(watched.find(Term::Name("half")), "Absent");
    assert_eq!((api.lists(), watched.status().relists()), (1, 0), "nothing was listed again");
    watched.until("it is connected", |watched| watched.status().is_connected()).await;
}

#[tokio::test]
async fn a_version_that_is_too_old_has_all_pods_listed_again() {
    let api = ScriptedApi::serve(&[pod("a-stays", "10.0.0.1"), pod("goes", "10.0.0.2")]);
    let watched = Watched::loaded(&api).await;
    api.wait_watched(1);
    api.answer(Some((503, "shutting down")));
    api.cut("");
    watched.until_failed(Reason::Status).await;
    api.delete_unseen("goes");
    api.apply(&pod("comes", "10.0.0.3"));
    api.compact();
    api.answer(None);
    watched.until_found(ip("10.0.0.3"), "comes").await;
    watched.until("it was listed again", |watched| watched.status().relists() == 1).await;
    assert_eq!(watched.status().failures(Reason::Expired), 1);
    assert_eq!(watched.find(ip("10.0.0.1")), "a-stays");
    assert_eq!(
        (watched.find(ip("10.0.0.2")), watched.pods.keeper.leaving()),
        ("goes".to_owned(), 1),
        "in its grace"
    );
}

#[tokio::test]
async fn a_server_that_comes_back_with_other_data_is_noticed() {
    let api = ScriptedApi::serve(&[pod("old", "10.0.0.1")]);
    let watched = Watched::start(Kubernetes { pod_delete_grace_period: 40, ..kubernetes(&api) });
    watched.until("loaded", |watched| watched.status().is_loaded()).await;
    api.wait_watched(1);
    // A watch from the version that is known would be silent.
    api.start_over(5, &[pod("new", "10.0.0.2")]);
    watched.until_found(ip("10.0.0.2"), "new").await;
    watched.until_found(ip("10.0.0.1"), "Absent").await;
    assert!(watched.status().failures(Reason::OtherData) > 0);
    // The same where its versions have got further than those that are known.
    api.wait_watched(1);
    api.start_over(50_000, &[pod("newest", "10.0.0.3")]);
    watched.until_found(ip("10.0.0.3"), "newest").await;
    watched.until_found(ip("10.0.0.2"), "Absent").await;
}

#[tokio::test]
async fn a_bookmark_from_before_what_is_known_is_other_data() {
    let api = ScriptedApi::serve(&[pod("cart-0", "10.0.0.1")]);
    let watched = Watched::loaded(&api).await;
    api.wait_watched(1);
    api.say(json!({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "7"}}}));
    watched.until_failed(Reason::OtherData).await;
    watched.until("it was listed again", |watched| watched.status().relists() == 1).await;
}

#[tokio::test]
async fn a_token_that_was_renewed_is_read_again() {
    let api = ScriptedApi::serve(&[pod("cart-0", "10.0.0.1")]);
    api.demand("second");
    let watched = Watched::start(kubernetes(&api));
    watched.until_failed(Reason::Unauthorized).await;
    assert!(!watched.status().is_loaded());
    api.write_token("second");
    watched.until_found(ip("10.0.0.1"), "cart-0").await;
    // It expires while a watch is open, and is renewed by then or later.
    api.wait_watched(1);
    api.demand("third");
    api.cut("");
    watched.until("it fails again", |watched| watched.status().failures(Reason::Unauthorized) > 1).await;
    assert_eq!(watched.find(ip("10.0.0.1")), "cart-0", "the last table serves");
    api.write_token("third");
    api.apply(&pod("cart-1", "10.0.0.2"));
    watched.until_found(ip("10.0.0.2"), "cart-1").await;
}

#[tokio::test]
async fn rights_that_are_granted_later_are_enough() {
    let api = ScriptedApi::serve(&[pod("cart-0", "10.0.0.1")]);
    let message = r#"pods is forbidden: User "system:serviceaccount:a:b" cannot watch resource "pods""#;
    api.answer(Some((403, message)));
    let watched = Watched::start(kubernetes(&api));
    watched.until_failed(Reason::Forbidden).await;
    assert_eq!(watched.find(ip("10.0.0.1")), "Unknown", "nothing is known, rather than that there is no pod");
    api.answer(None);
    watched.until_found(ip("10.0.0.1"), "cart-0").await;
}

#[tokio::test]
async fn what_is_no_api_server_is_told_apart() {
    let api = ScriptedApi::serve(&[pod("cart-0", "10.0.0.1")]);
    for (code, body, reason) in [
        (200, "<html>welcome</html>", Reason::Invalid),
        (404, "<html>nothing here</html>", Reason::Invalid),
        (302, "<html>sign in</html>", Reason::Invalid),
        (200, "a list of nothing", Reason::Invalid),
        (429, "too many requests", Reason::Status),
    ] {
        api.answer(Some((code, body)));
        let watched = Watched::start(kubernetes(&api));
        watched.until_failed(reason).await;
        assert!(!watched.status().is_loaded(), "{code} {body}");
        api.answer(None);
        watched.until_found(ip("10.0.0.1"), "cart-0").await;
    }
}

#[tokio::test]
async fn a_pod_that_cannot_be_read_costs_no_other_and_is_not_known_any_more() {
    let api = ScriptedApi::serve(&[pod("odd", "10.0.0.1"), pod("cart-0", "10.0.0.2")]);
    let watched = Watched::loaded(&api).await;
    api.wait_watched(1);
    let mut odd = pod("odd", "10.0.0.1");
    odd["metadata"]["labels"] = json!(7);
    api.apply(&odd);
    watched.until_found(ip("10.0.0.1"), "Absent").await;
    let mut unaddressed = pod("cart-0", "10.0.0.2");
    unaddressed["status"]["podIPs"] = json!([{"ip": "no address"}]);
    api.apply(&unaddressed);
    watched.until_found(ip("10.0.0.2"), "Absent").await;
    api.apply(&pod("cart-1", "10.0.0.3"));
    watched.until_found(ip("10.0.0.3"), "cart-1").await;
    assert_eq!((watched.failures(), api.lists()), (0, 1));
}

#[tokio::test]
async fn a_pod_may_lack_its_status_or_have_ten_thousand_containers() {
    let bare = json!({"metadata": {"name": "bare"}});
    let id = |number: usize| format!("{number:016x}{:048x}", 0);
    let ids: Vec<_> = (1..=10_000)
        .map(|number| json!({"name": format!("c{number}"), "containerID": format!("containerd://{}", id(number))}))
        .collect();
    let mut many = pod("many", "10.0.0.1");
    many["status"]["containerStatuses"] = ids.into();
    let api = ScriptedApi::serve(&[
        bare,
        many,
        json!({"metadata": {"name": "n".repeat(5_000)}, "spec": null, "status": null}),
    ]);
    let watched = Watched::loaded(&api).await;
    assert_eq!(watched.find(Term::Name("bare")), "bare");
    assert_eq!(watched.find(ip("10.0.0.1")), "many");
    assert_eq!(watched.find(Term::Container(&id(9_999))), "many");
    assert_eq!(watched.failures(), 0);
}

#[tokio::test]
async fn a_kubeconfig_that_is_corrected_is_read_again() {
    let api = ScriptedApi::serve(&[pod("cart-0", "10.0.0.1")]);
    let right = std::fs::read(api.config()).unwrap();
    std::fs::write(api.config(), "users: [").unwrap();
    let watched = Watched::start(kubernetes(&api));
    watched.until_failed(Reason::Config).await;
    std::fs::write(api.config(), right).unwrap();
    watched.until_found(ip("10.0.0.1"), "cart-0").await;
}

#[tokio::test]
async fn a_server_that_is_away_is_asked_again_and_the_last_table_serves() {
    let api = ScriptedApi::serve(&[pod("cart-0", "10.0.0.1")]);
    let watched = Watched::loaded(&api).await;
    api.wait_watched(1);
    api.freeze(true);
    api.cut("");
    watched.until("it is away", |watched| !watched.status().is_connected()).await;
    assert_eq!(watched.find(ip("10.0.0.1")), "cart-0");
    api.freeze(false);
    api.apply(&pod("cart-1", "10.0.0.2"));
    // A request that got no answer ends with the connection.
    api.cut("");
    watched.until_found(ip("10.0.0.2"), "cart-1").await;
}

#[tokio::test]
async fn bookmarks_keep_the_age_small_and_the_version_new() {
    let api = ScriptedApi::serve(&[pod("a-stays", "10.0.0.9"), pod("cart-0", "10.0.0.1")]);
    let watched = Watched::loaded(&api).await;
    api.wait_watched(1);
    api.delete_unseen("cart-0");
    api.bookmark();
    // What the bookmark says is known counts as known: nothing is too old.
    watched.until("it was heard", |watched| watched.status().age() < Duration::from_secs(1)).await;
    api.apply(&pod("cart-1", "10.0.0.2"));
    watched.until_found(ip("10.0.0.2"), "cart-1").await;
    api.compact();
    api.cut("");
    api.apply(&pod("cart-2", "10.0.0.3"));
    watched.until_found(ip("10.0.0.3"), "cart-2").await;
    assert_eq!(api.lists(), 1);
}
