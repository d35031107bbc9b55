//! What only Schloss has: groups, roles and policies, as JSON documents.

use bytes::Bytes;
use schloss_wire::{AlterSecurityRequest, DescribeSecurityRequest};

use super::Cluster;
use crate::error::{ClientError, Need};

impl Cluster {
    /// Asks a question about groups, roles or the policy. Question and answer are JSON.
    ///
    /// # Errors
    /// The user lacks `DESCRIBE` on the cluster, the question is none, or this is no Schloss.
    pub async fn describe_security(&mut self, question: Vec<u8>) -> Result<Bytes, ClientError> {
        let request = DescribeSecurityRequest { document: question.into() };
        let response = self.call_any(&request).await?;
        let doing = || "asking about groups, roles or the policy".to_owned();
        let message = response.error_message.as_deref();
        self.check(response.error_code, message, &Need::cluster("DESCRIBE"), doing)?;
        Ok(response.document)
    }

    /// Makes a change to groups, roles or the policy. Change and answer are JSON.
    ///
    /// # Errors
    /// The user lacks `ALTER` on the cluster, the change can't be made, or this is no Schloss.
    pub async fn alter_security(&mut self, change: Vec<u8>) -> Result<Bytes, ClientError> {
        let request = AlterSecurityRequest { document: change.into() };
        let response = self.call_controller(&request, |response| response.error_code).await?;
        let doing = || "changing groups, roles or the policy".to_owned();
        let message = response.error_message.as_deref();
        self.check(response.error_code, message, &Need::cluster("ALTER"), doing)?;
        Ok(response.document)
    }
}
