//! Creating and changing territories and products: two trees of one kind.

use reflex_proto::leads::v1::{PutProductRequest, PutProductResponse, PutTerritoryRequest, PutTerritoryResponse};
use reflex_rpc::identity::Caller;

use super::{
    App,
    change_setup::{Begun, Change},
};
use crate::{
    convert,
    domain::{
        catalogue::{Catalogue, Node, Product, Territory},
        decision::Trigger,
    },
    error::Error,
    store::{
        catalogues::{self, Catalogued},
        reroute,
    },
};

impl App {
    /// Creates or changes a territory.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::WrongState`] for an unknown territory around it and for a circle.
    pub(crate) async fn put_territory(
        &self,
        caller: &Caller,
        request: &PutTerritoryRequest,
    ) -> Result<PutTerritoryResponse, Error> {
        let territory = request
            .territory
            .as_ref()
            .ok_or_else(|| Error::invalid("territory", "must be given"))?;
        let territory = Territory::parse("territory", &convert::directory::raw_territory(territory))?;
        let mut change = match self
            .begin_change("put_territory", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let before = change.before.clone();
        self.write_node(&mut change, &before.directory.territories, &territory)
            .await?;
        let response = PutTerritoryResponse {
            territory: Some(convert::directory::territory(&territory)),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Creates or changes a product or product line.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::WrongState`] for an unknown line above it and for a circle.
    pub(crate) async fn put_product(
        &self,
        caller: &Caller,
        request: &PutProductRequest,
    ) -> Result<PutProductResponse, Error> {
        let product = request
            .product
            .as_ref()
            .ok_or_else(|| Error::invalid("product", "must be given"))?;
        let product = Product::parse("product", &convert::directory::raw_product(product))?;
        let mut change = match self
            .begin_change("put_product", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let before = change.before.clone();
        self.write_node(&mut change, &before.directory.products, &product)
            .await?;
        let response = PutProductResponse {
            product: Some(convert::directory::product(&product)),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    async fn write_node<Id: Catalogued>(
        &self,
        change: &mut Change,
        catalogue: &Catalogue<Id>,
        node: &Node<Id>,
    ) -> Result<(), Error> {
        catalogue.check(node)?;
        if catalogue.find(&node.id) == Some(node) {
            return Ok(());
        }
        catalogues::put(&mut change.tx, &change.tenant, node, self.clock.now()).await?;
        // A new name may be what a waiting lead has typed.
        reroute::request(&mut change.tx, &change.tenant, Trigger::DirectoryChanged, None).await?;
        change.publish().await
    }
}
