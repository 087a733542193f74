export { Catalog, type Product } from "./gen/catalog_pb";
export { Pricing, type Money } from "./gen/pricing_pb";
export { productId } from "./product-id";
