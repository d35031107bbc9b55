//! The proof that somebody authenticated.

use schloss_wire::Principal;

use crate::Mechanism;

/// Who a peer has proved to be.
///
/// Only a mechanism of this crate makes one, and only after its last check succeeded. A session that holds
/// it can't have been reached by an exchange that merely *ended*.
///
/// ```compile_fail
/// use schloss_identity::{Authenticated, Mechanism};
/// use schloss_wire::Principal;
/// // the fields are private, and there is no constructor
/// let forged = Authenticated { principal: Principal::user("admin"), mechanism: Mechanism::ScramSha512 };
/// ```
///
/// ```compile_fail
/// use schloss_identity::{Authenticated, Mechanism};
/// use schloss_wire::Principal;
/// let forged = Authenticated::new(Principal::user("admin"), Mechanism::ScramSha512);
/// ```
///
/// ```compile_fail
/// let forged = schloss_identity::Authenticated::default();
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Authenticated {
    principal: Principal,
    mechanism: Mechanism,
}

impl Authenticated {
    pub(crate) fn new(principal: Principal, mechanism: Mechanism) -> Self {
        Self { principal, mechanism }
    }

    /// Who it is.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// How it was proved.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }
}
