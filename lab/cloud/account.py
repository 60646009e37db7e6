"""What the lab's account holds before anything happens: users, roles, instances, buckets.

Keys of users are fixed, so that scripts know them. None opens anything outside the lab.
"""

USERS = {
    "alice": "AKIACLEWALICEEXAMPLE",
    "bob": "AKIACLEWLABBOBEXAMPL",
    "ci-deploy": "AKIACLEWLABCIEXAMPLE",
}
ROLES = ["shop-preview", "shop-reports", "deploy-staging", "deploy-production", "backup-reader"]

# Address on the network of the metadata service: instance and role.
INSTANCES = {
    "169.254.169.10": ("i-0a1b2c3d4e5f60718", "shop-preview"),
    "169.254.169.11": ("i-0fedcba9876543210", "shop-reports"),
}
BUCKETS = {
    "shop-customers": {f"customers/2026/{number:03}.csv": b"name,mail,card\n" * 200 for number in range(60)},
    "shop-previews": {f"previews/{number:02}.json": b'{"title":"A page"}' for number in range(8)},
    "shop-invoices": {f"invoices/{number:03}.pdf": b"%PDF-1.7 " * 400 for number in range(20)},
    "shop-static": {"logo.svg": b"<svg/>"},
}
# The account's own record of what is done in it.
TRAIL, TRAIL_BUCKET = "shop-trail", "shop-static"
