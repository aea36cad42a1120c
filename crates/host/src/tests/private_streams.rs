//! When peers that dial this node may be met at private addresses.

use serde_json::json;

use super::support::{World, run};
use crate::private_streams::taken;

const SITE: &str = "https://site.example";

#[test]
fn only_a_live_grant_of_who_takes_streams_opens_the_private_network() {
    run(false, async {
        let world = World::new().await;
        world.node_is("online").await;
        let core = world.host.core();
        let (page, other) = (world.page(SITE), world.page("https://other.example"));
        let streams = json!([{"name": "streams", "protocols": ["/chat/1.0.0", "/talk/1.0.0"]}]);
        world.grant(&page, streams.clone()).await;
        world.grant(&other, streams).await;
        let chat = json!({"protocols": ["/chat/1.0.0"]});
        page.call("streams.handle", chat.clone()).await.unwrap();
        assert!(!taken(core), "no grant for private networks");
        // Another site's grant is not this one's.
        let private = json!([{"name": "dial", "privateNetwork": true}]);
        world.grant(&other, private.clone()).await;
        assert!(!taken(core), "who may reach them takes no streams");
        world.grant(&page, private).await;
        assert!(taken(core));
        page.call(
            "permissions.revoke",
            json!({"permissions": [{"name": "dial"}]}),
        )
        .await
        .unwrap();
        assert!(!taken(core), "revoked");
        let talk = json!({"protocols": ["/talk/1.0.0"]});
        other.call("streams.handle", talk).await.unwrap();
        assert!(taken(core));
        drop(other);
        assert!(!taken(core), "its document is gone");
    });
}
