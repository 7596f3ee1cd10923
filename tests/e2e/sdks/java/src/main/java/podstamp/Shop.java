package podstamp;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.web.context.WebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestClient;

/** A shop as small as can be. It knows nothing of OpenTelemetry: the agent in front of it does. */
@SpringBootApplication
@RestController
public class Shop {
    private int port;

    public static void main(String[] arguments) throws Exception {
        ConfigurableApplicationContext context = SpringApplication.run(Shop.class, arguments);
        Shop shop = context.getBean(Shop.class);
        shop.port = ((WebServerApplicationContext) context).getWebServer().getPort();
        System.out.println("listening on " + shop.port);
        // Whoever started this closes standard input when it has seen enough.
        while (System.in.read() >= 0) { }
        context.close();
        System.exit(0);
    }

    /** Asks another endpoint: a server span, in it a client span, in it a server span. */
    @GetMapping("/orders/{id}")
    public String order(@PathVariable("id") String id) {
        return RestClient.create("http://127.0.0.1:" + port).get().uri("/stock/{id}", id).retrieve().body(String.class);
    }

    @GetMapping("/stock/{id}")
    public String stock(@PathVariable("id") String id) {
        return "one of " + id;
    }

    /** A span with an error and an event. */
    @GetMapping("/broken")
    public String broken() {
        throw new IllegalStateException("nothing on the shelf: 缺貨");
    }
}
