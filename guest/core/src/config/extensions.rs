//! The extensions by which clients prove who they are, and the exporter does, and those that keep what is queued.

mod basicauth;
mod bearertokenauth;
mod file_storage;

use bearertokenauth::AUTHORIZATION;

use crate::config::catalog::{Catalog, Component};
use crate::config::collector::component::{Kind, same};
use crate::config::document::{ENABLED, Entry, hint};
use crate::interface::Level;

pub use basicauth::{Htpasswd, Login};
pub use bearertokenauth::Bearer;
pub use file_storage::FileStorage;

/// The credentials that clients have to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerAuth {
    /// One of some tokens.
    Bearer(Bearer),
    /// A user's password.
    Basic(Htpasswd),
}

/// The credentials to show to the upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// The first of some tokens.
    Bearer(Bearer),
    /// A user and a password.
    Basic(Login),
}

impl ClientAuth {
    /// The header that carries it, in lower case.
    pub fn header(&self) -> &str {
        match self {
            Self::Bearer(bearer) => &bearer.header,
            Self::Basic(_) => AUTHORIZATION,
        }
    }

    /// The extension's section.
    pub fn path(&self) -> &str {
        match self {
            Self::Bearer(bearer) => &bearer.path,
            Self::Basic(login) => &login.path,
        }
    }
}

/// The extensions that `service.extensions` starts. What they say is read where something refers to them.
#[derive(Debug)]
pub(crate) struct Extensions<'c, 'd> {
    catalog: &'c Catalog<'d>,
    started: Vec<String>,
}

impl<'c, 'd> Extensions<'c, 'd> {
    /// Reads `service.extensions`.
    pub(crate) fn started(list: &Entry<'d>, catalog: &'c Catalog<'d>) -> Self {
        let mut started = Vec::new();
        for reference in list.list() {
            let Some(id) = reference.text() else { continue };
            if catalog.find(Kind::Extension, &id).is_none() && catalog.is_known(Kind::Extension) {
                reference.fault(format!("`extensions` defines no `{id}`{}", hint(&id, ids(catalog))));
            }
            started.push(id);
        }
        Self { catalog, started }
    }

    /// Reads the `auth` of a receiver's protocol, or of the admin listener. `None`: it is missing or at fault.
    pub(crate) fn server(&self, auth: &Entry<'_>) -> Option<ServerAuth> {
        let (reference, component) = self.resolve(auth, "")?;
        match Type::of(component)? {
            Type::Bearer => bearertokenauth::read_bearer(&component.entry).map(ServerAuth::Bearer),
            Type::Basic => basicauth::read_htpasswd(&component.entry, &reference).map(ServerAuth::Basic),
        }
    }

    /// Reads the `auth` of an exporter, or of a follower of pods. `None`: it is missing or at fault.
    pub(crate) fn client(&self, auth: &Entry<'_>) -> Option<ClientAuth> {
        let (reference, component) = self.resolve(auth, ", or put the credentials into `headers`")?;
        match Type::of(component)? {
            Type::Bearer => bearertokenauth::read_bearer(&component.entry).map(ClientAuth::Bearer),
            Type::Basic => basicauth::read_login(&component.entry, &reference).map(ClientAuth::Basic),
        }
    }

    /// Reads the storage that a queue refers to. `None`: it is missing or at fault.
    pub(crate) fn storage(&self, reference: &Entry<'_>) -> Option<FileStorage> {
        let id = reference.filled()?;
        let id = id.as_str().map(str::to_owned).or_else(|| reference.text())?;
        let component = self.find(reference, &id)?;
        if !same("file_storage", component.type_name()) {
            reference.fault(format!("`{id}` is no storage that podstamp has: use file_storage"));
            return None;
        }
        self.check_started(reference, &id).then(|| file_storage::read_file_storage(&component.entry))
    }

    /// Says which extensions nothing refers to. To be called once everything is read that might.
    pub(crate) fn report_unused(&self) {
        for extension in self.catalog.supported(Kind::Extension).filter(|extension| !extension.is_used()) {
            let message = "nothing refers to it: no receiver or exporter of a pipeline that runs, nor podstamp.admin and podstamp.pods";
            extension.entry.notice(Level::Info, "config-unused", message);
        }
    }

    /// The extension that a section refers to, and where it does. `otherwise`: the advice for what else to do.
    fn resolve<'n>(&self, auth: &Entry<'n>, otherwise: &str) -> Option<(Entry<'n>, &'c Component<'d>)> {
        // A section that names no authenticator must not let everybody in.
        auth.value()?;
        let mut section = auth.section();
        section.pass(&[ENABLED]);
        let reference = section.take("authenticator");
        let parameters = section.take("request_params");
        if !parameters.list().is_empty() {
            parameters.fault("podstamp takes credentials from headers only");
        }
        section.close();
        let Some(id) = reference.filled_text() else {
            if !reference.is_filled() {
                reference.fault("is missing: the id of an extension");
            }
            return None;
        };
        let component = self.find(&reference, &id)?;
        if Type::of(component).is_none() {
            let kind = component.type_name();
            reference.fault(format!(
                "podstamp has no `{kind}` authenticator: use bearertokenauth or basicauth{otherwise}"
            ));
            return None;
        }
        self.check_started(&reference, &id).then_some((reference, component))
    }

    /// The extension with that id, which is used from now on.
    #[cold]
    fn find(&self, reference: &Entry<'_>, id: &str) -> Option<&'c Component<'d>> {
        let component = self.catalog.find(Kind::Extension, id);
        match component {
            Some(component) => component.mark_used(),
            None if !self.catalog.is_known(Kind::Extension) => {}
            None => reference.fault(format!("`extensions` defines no `{id}`{}", hint(id, ids(self.catalog)))),
        }
        component
    }

    #[cold]
    fn check_started(&self, reference: &Entry<'_>, id: &str) -> bool {
        let is_started = self.started.iter().any(|started| started == id);
        if !is_started {
            reference.fault(format!("`{id}` is not started: add it to service.extensions"));
        }
        is_started
    }
}

/// The types that podstamp has.
enum Type {
    Bearer,
    Basic,
}

impl Type {
    fn of(component: &Component<'_>) -> Option<Self> {
        let is = |known| same(known, component.type_name());
        match () {
            () if is("bearer_token_auth") => Some(Self::Bearer),
            () if is("basic_auth") => Some(Self::Basic),
            () => None,
        }
    }
}

fn ids<'d>(catalog: &Catalog<'d>) -> impl Iterator<Item = &'d str> {
    catalog.of(Kind::Extension).map(|extension| extension.id)
}
